"""Adding a metadata entry to a .tflite file."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from edgemcu.errors import ToolMissingError

# What TensorFlow's converter guarantees, and what optimised kernels rely on.
_BUFFER_ALIGNMENT = 16


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
    import flatbuffers

    schema = _schema()
    tree = schema.ModelT.InitFromPackedBuf(model, 0)
    entry = schema.MetadataT()
    entry.name = name
    entry.buffer = len(tree.buffers)
    tree.metadata = [old for old in tree.metadata or [] if old.name != name.encode()] + [entry]
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    tree.buffers = [_AlignedBuffer(schema, old) for old in [*tree.buffers, buffer]]
    builder = flatbuffers.Builder(len(model) + len(data) + 4096)
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


def _schema() -> Any:
    for module in ("ai_edge_litert", "tensorflow.lite.python"):
        try:
            return importlib.import_module(f"{module}.schema_py_generated")
        except ImportError:
            continue
    raise ToolMissingError(
        "writing a .tflite file needs its schema, which ai-edge-litert brings along",
        hint="install it with: pip install ai-edge-litert",
    )
