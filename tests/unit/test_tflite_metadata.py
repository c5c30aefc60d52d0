"""edgemcu's own metadata in a model: read back as written, refused when it is anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edgemcu.errors import ModelError
from edgemcu.preprocessing import METADATA_NAME, Preprocessing
from edgemcu.tflite import ModelMetadata, parse_model, read_metadata
from edgemcu.tflite.metadata import decode_metadata
from tests.support.tflite_builder import ModelBuilder

METADATA = ModelMetadata(Preprocessing(8, 8, "grey", "pad"), ("cat", "dog", "Vögel"))


def model(data: bytes | None, shape: tuple[int, ...] = (1, 8, 8, 1), outputs: int = 3) -> bytes:
    b = ModelBuilder()
    x = b.input(shape, 0.1, 0)
    y = b.op("MAX_POOL_2D", [x], (1, 1, 1, shape[3]), 0.1, 0, window=8, stride=1)
    b.output(b.op("CONCATENATION", [y] * outputs, (1, 1, 1, outputs * shape[3]), 0.1, 0, axis=3))
    b.metadata("min_runtime_version", b"1.14.0")
    if data is not None:
        b.metadata(METADATA_NAME, data)
    return b.finish()


def read(data: bytes) -> ModelMetadata | None:
    return read_metadata(parse_model(data, "model.tflite"), "model.tflite")


def test_round_trip() -> None:
    assert read(model(METADATA.encode())) == METADATA


def test_the_same_metadata_is_the_same_bytes() -> None:
    again = ModelMetadata(Preprocessing(8, 8, "grey", "pad"), ("cat", "dog", "Vögel"))
    assert again.encode() == METADATA.encode()


def test_a_model_of_someone_else_has_none() -> None:
    assert read(model(None)) is None


def changed(**fields: Any) -> bytes:
    return json.dumps({**METADATA.to_json(), **fields}).encode()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "not an object"),
        (b"9" * 5000, "not JSON"),
        (b'{"version": NaN}', "not JSON"),
        (changed(version=2), "version 2"),
        (changed(version=True), "version True"),
        (changed(classes=None), "'classes'"),
        (changed(classes=[]), "'classes'"),
        (changed(classes=["a", "a", "b"]), "same name"),
        (changed(classes=["a", 1, "b"]), "not the name"),
        (changed(classes=["a", "", "b"]), "not the name"),
        (changed(classes=["a", "x" * 1000, "b"]), "not the name"),
        (changed(classes=["a", "\x1b[31m", "b"]), "control characters"),
        (changed(classes=["a", "\ud800", "b"]), "control characters"),
        (changed(classes=["a", "b"]), "2 classes for 3 outputs"),
        (changed(preprocessing=None), "preprocessing"),
        (changed(preprocessing={}), "preprocessing"),
        (changed(preprocessing=Preprocessing(9, 8, "grey").to_json()), "input of shape"),
        (b" " * ((1 << 20) + 1), "too many"),
    ],
)
def test_broken_metadata_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ModelError, match=reason) as caught:
        read(model(data))
    assert caught.value.where == "model.tflite"
    assert len(str(caught.value)) < 1000


def test_decoding_needs_no_graph() -> None:
    assert decode_metadata(METADATA.encode(), "model") == METADATA
