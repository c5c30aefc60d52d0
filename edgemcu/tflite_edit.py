"""Changes to a .tflite file that was made here: its metadata, and names that a person can read."""

from __future__ import annotations

import importlib
import re
from typing import Any

import numpy as np

from edgemcu.errors import ToolMissingError

# What TensorFlow's converter guarantees, and what optimised kernels rely on.
_BUFFER_ALIGNMENT = 16

# The parts of a Keras layer's name that tell nothing once its operators are fused.
_SUFFIXES = ("_relu", "_norm")


def add_metadata(model: bytes, name: str, data: bytes) -> bytes:
    """Store `data` under `name` in a .tflite file's metadata, replacing an entry of that name.

    Args:
        model: a .tflite file that was made here or has been read by `edgemcu.tflite`: this
            trusts it.
        name: of the entry.
        data: any bytes.

    Returns:
        The new file. Weights keep their 16-byte alignment; the same input gives the same bytes.

    Raises:
        ToolMissingError: neither ai-edge-litert nor TensorFlow, which bring the schema along.
    """
    schema = schema_module()
    tree = schema.ModelT.InitFromPackedBuf(model, 0)
    entry = schema.MetadataT()
    entry.name = name
    entry.buffer = len(tree.buffers)
    tree.metadata = [old for old in tree.metadata or [] if old.name != name.encode()] + [entry]
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    tree.buffers.append(buffer)
    return pack_model(tree, len(model) + len(data))


def tidy_names(model: bytes, *, output: str) -> bytes:
    """Name tensors after the layers that they belong to.

    The converter strings together the path of every operator that it fused; what is left is the
    layer ("block3_pointwise"), and for constants the layer and their role ("…/weights",
    "…/bias").

    Args:
        model: a .tflite file that the converter made from a nested Keras model; this trusts it.
        output: what to call the model's output, which the converter names by itself.

    Raises:
        ToolMissingError: as `add_metadata`.
    """
    schema = schema_module()
    tree = schema.ModelT.InitFromPackedBuf(model, 0)
    (graph,) = tree.subgraphs
    tensors = graph.tensors
    made = {int(index) for operator in graph.operators for index in operator.outputs}
    for operator in graph.operators:
        result = int(operator.outputs[0])
        name = output if result in graph.outputs else _layer(tensors[result].name.decode())
        tensors[result].name = name
        roles = ("weights", "bias") if len(operator.inputs) == 3 else ("constant",)
        for index, role in zip(operator.inputs[1:], roles, strict=False):
            if index >= 0 and int(index) not in made:
                tensors[int(index)].name = f"{name}/{role}"
    for index in graph.inputs:
        tensors[int(index)].name = "image"
    return pack_model(tree, len(model))


def _layer(path: str) -> str:
    """The layer in "MODEL_1/NETWORK_1/LAYER_1/OPERATOR;…"."""
    parts = path.split(";")[0].split("/")
    name = re.sub(r"_\d+$", "", parts[2] if len(parts) > 2 else parts[-1])
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def pack_model(tree: Any, size: int) -> bytes:
    """A .tflite file from the schema's object tree; `size` is a guess at its bytes."""
    import flatbuffers

    schema = schema_module()
    tree.buffers = [_AlignedBuffer(schema, buffer) for buffer in tree.buffers]
    builder = flatbuffers.Builder(size + 4096)
    builder.Finish(tree.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


class _AlignedBuffer:
    """A BufferT whose `Pack` heeds the schema's force_align, as the generated Python does not."""

    def __init__(self, schema: Any, buffer: Any) -> None:
        self._schema = schema
        self._buffer = buffer

    def Pack(self, builder: Any) -> int:  # noqa: N802  (called by the generated code)
        values = self._buffer.data
        vector = None
        if values is not None and len(values):
            data = bytes(np.asarray(values, np.uint8))
            builder.StartVector(1, len(data), _BUFFER_ALIGNMENT)
            builder.head -= len(data)
            builder.Bytes[builder.head : builder.head + len(data)] = data
            vector = builder.EndVector()
        self._schema.BufferStart(builder)
        if vector is not None:
            self._schema.BufferAddData(builder, vector)
        return int(self._schema.BufferEnd(builder))


def schema_module() -> Any:
    """The classes of the .tflite schema.

    Raises:
        ToolMissingError: neither ai-edge-litert nor TensorFlow is installed.
    """
    for module in ("ai_edge_litert", "tensorflow.lite.python"):
        try:
            return importlib.import_module(f"{module}.schema_py_generated")
        except ImportError:
            continue
    raise ToolMissingError(
        "writing a .tflite file needs its schema, which ai-edge-litert brings along",
        hint="install it with: pip install ai-edge-litert",
    )
