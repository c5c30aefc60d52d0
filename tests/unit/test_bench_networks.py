"""The networks that `edgemcu bench` makes: the published shapes, the same bytes, nothing dead."""

from __future__ import annotations

import numpy as np
import pytest

from edgemcu.bench.networks import DEFAULT, NETWORKS, benchmark_network
from edgemcu.errors import ModelError
from edgemcu.graph.facts import graph_facts
from edgemcu.tflite import parse_model

MACS = {
    "mobilenet-v1-0.25-96": 7_489_664,
    "resnet8": 12_501_632,
    "ds-cnn": 2_656_768,
    "mobilenet-v1-0.25-96-half-dead": 7_489_664,
    "person-detection": 7_157_888,
}


def dead_channels(model: bytes) -> tuple[int, int]:
    """Output channels of CONV_2D without a weight, and all of them."""
    graph = parse_model(model, "m")
    weights = [graph.tensors[op.inputs[1]].data for op in graph.ops if op.kind.value == "CONV_2D"]
    live = [np.any(w.reshape(w.shape[0], -1), axis=1) for w in weights if w is not None]
    return sum(int((~channels).sum()) for channels in live), sum(len(c) for c in live)


@pytest.mark.parametrize("name", NETWORKS)
def test_published_sizes(name: str) -> None:
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    model = benchmark_network(name)
    assert graph_facts(parse_model(model, name)).macs == MACS[name]
    dead, all_of_them = dead_channels(model)
    assert dead == (all_of_them // 2 if name.endswith("half-dead") else 0)
    benchmark_network.cache_clear()
    assert benchmark_network(name) == model


def test_names() -> None:
    assert set(DEFAULT) <= set(NETWORKS)
    with pytest.raises(ModelError, match="no benchmark network 'vgg16'"):
        benchmark_network("vgg16")
