"""`edgemcu bench` in QEMU: its counter against the one that virtual time makes, and its bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgemcu.boards import load_board
from edgemcu.cli.main import main
from edgemcu.device.connect import open_board
from edgemcu.inputs import random_inputs
from edgemcu.steps.bench import bench_models
from edgemcu.tflite import parse_model
from tests.support.bare_metal import require_tools
from tests.support.random_models import RandomModel

pytestmark = pytest.mark.emulator


def small_model(path: Path) -> Path:
    import numpy as np

    model = RandomModel(np.random.default_rng(3), (1, 12, 12, 8))
    from edgemcu.graph.ir import OpKind

    for kind in (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.MEAN):
        model.step(kind)
    path.write_bytes(model.finish())
    return path


@pytest.mark.parametrize("board", ["mps2-an386", "mps3-an547"])
def test_instructions_are_those_of_virtual_time(board: str, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    require_tools()
    path = small_model(tmp_path / "small.tflite")
    result = bench_models([str(path)], [board], kernels=["auto"], out=tmp_path / "bench")
    (row,) = result.rows
    assert row.reason is None
    assert row.bytes_equal and row.repeatable
    assert (row.cycles is not None) == (board == "mps2-an386")
    assert row.stack_bytes is not None and 16 < row.stack_bytes < 2048
    assert row.code_bytes is not None and 500 < row.code_bytes < 20_000
    assert sum(layer.instructions for layer in row.layers) <= (row.instructions or 0)
    assert all(layer.instructions > 0 for layer in row.layers)

    graph = parse_model(path.read_bytes(), "small")
    (elf,) = (tmp_path / "bench").glob("small-*/project/.pio/build/*/firmware.elf")
    with open_board(load_board(board), elf) as session:
        other = session.infer(random_inputs(graph, 1)[0].tobytes()).instructions
    assert row.instructions is not None and other is not None
    # Virtual time also counts the call and reading the timer, and has a tick's resolution.
    assert abs(row.instructions - other) < 100


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    require_tools()
    path = small_model(tmp_path / "small.tflite")
    arguments = ["bench", "--model", str(path), "--out", str(tmp_path / "out")]
    plot = tmp_path / "plot.svg"
    with pytest.raises(SystemExit) as done:
        main([*arguments, "--kernels", "portable", "--plot", str(plot), "--json", "-q"])
    assert done.value.code == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["kernels"] == "portable" and row["bytes_equal"] is True
    assert plot.read_text().startswith("<?xml")
    with pytest.raises(SystemExit) as done:
        main([*arguments, "--kernels", "portable", "--runtime", "compiled", "--layers", "-q"])
    shown = capsys.readouterr().out
    assert done.value.code == 0
    assert "DEPTHWISE_CONV_2D" in shown and "estimated ms" in shown
