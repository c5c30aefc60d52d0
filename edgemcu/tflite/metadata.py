"""What edgemcu stores in a model it made: the preprocessing and the names of the classes.

A JSON object in the .tflite's metadata under the name "edgemcu":
{"version": 1, "preprocessing": {…}, "classes": ["…", …]}.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn

from edgemcu.errors import ModelError
from edgemcu.graph.ir import Graph
from edgemcu.preprocessing import METADATA_NAME, METADATA_VERSION, Preprocessing

MAX_BYTES = 1 << 20
MAX_CLASSES = 10_000
MAX_CLASS_NAME = 200


@dataclass(frozen=True)
class ModelMetadata:
    """How a photo becomes the model's input, and what its outputs mean.

    Attributes:
        classes: names, in the order of the model's outputs.
    """

    preprocessing: Preprocessing
    classes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "version": METADATA_VERSION,
            "preprocessing": self.preprocessing.to_json(),
            "classes": list(self.classes),
        }

    def encode(self) -> bytes:
        """The bytes to store under `METADATA_NAME`."""
        return json.dumps(self.to_json(), sort_keys=True, ensure_ascii=False).encode()


def read_metadata(graph: Graph, source: str) -> ModelMetadata | None:
    """The metadata of a graph that was read, None for a model that edgemcu did not make.

    Raises:
        ModelError: it is broken, or does not fit the model's input and output.
    """
    data = graph.metadata.get(METADATA_NAME)
    if data is None:
        return None
    metadata = decode_metadata(data, source)
    expected = (1, *metadata.preprocessing.shape)
    shapes = [graph.tensors[index].shape for index in graph.inputs]
    if shapes != [expected]:
        raise _broken(f"it describes an input of shape {expected}, the model has {shapes}", source)
    outputs = graph.tensors[graph.outputs[0]].elements
    if outputs != len(metadata.classes):
        raise _broken(f"it names {len(metadata.classes)} classes for {outputs} outputs", source)
    return metadata


def decode_metadata(data: bytes, source: str) -> ModelMetadata:
    """What `ModelMetadata.encode` wrote.

    Raises:
        ModelError: it is not that.
    """
    if len(data) > MAX_BYTES:
        raise _broken(f"{len(data)} bytes are too many", source)
    try:
        value = json.loads(data.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _broken("it is not JSON", source) from error
    if not isinstance(value, dict):
        raise _broken("it is not an object", source)
    version = value.get("version")
    if type(version) is not int or version != METADATA_VERSION:
        raise _broken(f"version {version!r:.40}, but this edgemcu reads {METADATA_VERSION}", source)
    classes = value.get("classes")
    if not isinstance(classes, list) or not 1 <= len(classes) <= MAX_CLASSES:
        raise _broken("'classes' is not a list of names", source)
    for name in classes:
        if not isinstance(name, str) or not 0 < len(name) <= MAX_CLASS_NAME:
            raise _broken(f"{name!r:.40} is not the name of a class", source)
        if not name.isprintable():
            raise _broken(f"the class {name!r:.40} holds control characters", source)
    if len(set(classes)) != len(classes):
        raise _broken("two classes have the same name", source)
    return ModelMetadata(
        Preprocessing.from_json(value.get("preprocessing"), where=source), tuple(classes)
    )


def _broken(reason: str, source: str) -> ModelError:
    return ModelError(
        f"edgemcu's metadata in the model: {reason}",
        where=source,
        hint="Make the model again with `edgemcu quantize`.",
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
