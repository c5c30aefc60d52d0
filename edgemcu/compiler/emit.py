"""Writes a program out as C: header, model, weights, and the kernels that it uses."""

from __future__ import annotations

import hashlib
import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray

from edgemcu._version import __version__
from edgemcu.compiler import names, planner
from edgemcu.compiler.kernels import Array, Field
from edgemcu.compiler.program import Call, Layer, Program
from edgemcu.graph.ir import DType, Graph, Tensor
from edgemcu.shipped import shipped

WIDTH = 100
INDENT = "    "


@dataclass(frozen=True)
class Constant:
    """One array of weights.c."""

    name: str
    c_type: str
    values: NDArray[Any]
    alignment: int = 1

    @property
    def aligned(self) -> str:
        """What its declaration begins with."""
        return f"_Alignas({self.alignment}) " if self.alignment > 1 else ""

    @property
    def memory(self) -> bytes:
        """As the array lies in the memory of a little-endian machine."""
        kind = np.dtype("f4" if self.c_type == "float" else self.c_type.removesuffix("_t"))
        return self.values.astype(kind.newbyteorder("<"), casting="safe").tobytes()

    @property
    def text(self) -> str:
        """The values, in lines."""
        number = _float_literal if self.c_type == "float" else str
        return "\n".join(_lines([number(v) for v in self.values.ravel().tolist()]))


def emit(program: Program, target: str, model_digest: str) -> tuple[dict[str, str], int]:
    """The files by relative path, and the bytes of all constants."""
    folder = shipped("firmware_templates") / "compiled"
    environment = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    view = _View(program)
    memory = b"".join(constant.memory for constant in view.constants)
    digest = hashlib.sha256(memory).digest()
    context = {
        "version": __version__,
        "digest": model_digest,
        "target": target,
        "program": program,
        "view": view,
        "constants_digest": digest.hex(),
        "digest_bytes": "\n".join(_lines([f"0x{b:02x}" for b in digest], INDENT * 2)),
        "weights_bytes": len(memory),
        "macs": sum(layer.macs for layer in program.layers),
    }
    files = {
        name: environment.get_template(f"{name}.jinja").render(context)
        for name in (
            "edgemcu_model.h",
            "model.c",
            *(("weights.h", "weights.c") if view.constants else ()),
        )
    }
    files["sha256.h"] = (folder.parent / "model" / "sha256.h").read_text()
    for path in view.kernel_files:
        files[f"kernels/{path}"] = (folder / "kernels" / path).read_text()
    return files, len(memory)


class _View:
    """What the templates show, as text."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.constants: list[Constant] = []
        self.tensor_names = self._name_tensors()
        for root in program.constants:
            self._add_tensor_constant(root)
        self.layers = [self._layer(layer) for layer in program.layers]
        self.inputs = [self._io(tensor) for tensor in program.graph.inputs]
        self.outputs = [self._io(tensor) for tensor in program.graph.outputs]

    @property
    def graph(self) -> Graph:
        return self.program.graph

    @property
    def kernel_files(self) -> list[str]:
        """Sources and headers of all kernels in use, below `kernels/`."""
        files: set[str] = set()
        for call in (call for layer in self.program.layers for call in layer.calls):
            kernel = call.kernel
            own = (f"{kernel.name}.c", f"{kernel.name}.h", *kernel.headers, *kernel.sources)
            files.update(posixpath.normpath(f"{kernel.folder}/{file}") for file in own)
        return sorted(files)

    @property
    def kernel_headers(self) -> list[str]:
        kernels = {call.kernel for layer in self.program.layers for call in layer.calls}
        # A function may compute several kinds of operations.
        return sorted({f"kernels/{kernel.folder}/{kernel.name}.h" for kernel in kernels})

    @property
    def places(self) -> list[dict[str, str]]:
        """The arena's tensors, as an enum shows them."""
        last_layer = len(self.program.layers)
        rows = []
        for root, place in self.program.placements.items():
            tensor = self.graph.tensors[root]
            begin = "input" if place.first == 0 else f"layer {place.first}"
            end = "output" if place.last > last_layer else f"layer {place.last}"
            rows.append(
                {
                    "name": self.tensor_names[root],
                    "offset": str(place.offset),
                    "note": f"{_described(tensor)}, {begin} to {end}",
                }
            )
        return rows

    def _name_tensors(self) -> dict[int, str]:
        """Enum constants of activations, variables of constants: both unique by their index."""
        result = {}
        for root in (*self.program.placements, *self.program.constants):
            words = [f"tensor_{root}", names.identifier(self.graph.tensors[root].name)]
            name = "_".join(filter(None, words))
            result[root] = name.upper() if root in self.program.placements else name
        return result

    def _add_tensor_constant(self, root: int) -> None:
        data = self.graph.tensors[root].data
        assert data is not None
        c_type = "float" if data.dtype == np.float32 else f"{data.dtype.name}_t"
        # A kernel that loads vectors wants constants as it wants activations, by 16 bytes.
        readers = [
            call.kernel.alignment
            for layer in self.program.layers
            for call in layer.calls
            if root in (self.program.storage[tensor] for tensor in call.inputs)
        ]
        alignment = max(readers, default=1)
        alignment = alignment if alignment > planner.ALIGNMENT else 1
        self.constants.append(Constant(self.tensor_names[root], c_type, data, alignment))

    def _pointer(self, tensor: int, *, constant: bool = True) -> str:
        root = self.program.storage[tensor]
        name = self.tensor_names[root]
        if root in self.program.placements:
            return f"arena + {name}"
        is_bytes = self.graph.tensors[root].dtype is DType.INT8
        return name if is_bytes or not constant else f"(const int8_t *){name}"

    def _io(self, index: int) -> dict[str, Any]:
        tensor = self.graph.tensors[index]
        scale = None
        if tensor.quantization is not None and tensor.dtype is DType.INT8:
            scale = f"{_float_literal(tensor.quantization.scale)}f"
        return {
            "pointer": self._pointer(index, constant=False),
            "bytes": tensor.bytes,
            "scale": scale,
            "zero_point": None if tensor.quantization is None else tensor.quantization.zero_point,
            "note": f"{names.comment(tensor.name)}: {_described(tensor)}",
        }

    def _layer(self, layer: Layer) -> dict[str, Any]:
        width = len(str(len(self.program.layers)))
        function = f"layer_{layer.number:0{width}}_{'_'.join(layer.kinds).lower()}"
        calls = []
        for number, call in enumerate(layer.calls):
            suffix = f"_{number}" if len(layer.calls) > 1 else ""
            prefix = f"layer_{layer.number:0{width}}{suffix}"
            fields = self._name_arrays(call.binding.params, prefix)
            calls.append(
                {
                    "type": call.binding.params_type,
                    "variable": f"params{suffix}",
                    "fields": "\n".join(_initializer(fields, depth=2)),
                    "statement": self._statement(call, layer, f"params{suffix}"),
                }
            )
        return {"function": function, "calls": calls, "title": self._title(layer)}

    def _statement(self, call: Call, layer: Layer, params: str) -> str:
        arguments = [f"&{params}", *map(self._pointer, call.inputs), self._pointer(layer.output)]
        if call.kernel.scratch:
            arguments.append("NULL" if layer.scratch is None else f"arena + {layer.scratch}")
        opening = f"{INDENT}{call.kernel.name}("
        lines = _lines(arguments, indent=" " * len(opening), trailing_comma=False)
        return f"{opening}{chr(10).join(lines).lstrip()});"

    def _name_arrays(self, fields: Mapping[str, Field], prefix: str) -> dict[str, Any]:
        """Arrays move to weights.c; in the parameters their names take their place."""
        members = Counter(path[-1] for path in _array_paths(fields))

        def named(fields: Mapping[str, Field], path: tuple[str, ...]) -> dict[str, Any]:
            result: dict[str, Any] = {}
            for name, value in fields.items():
                if isinstance(value, Array):
                    # The member's own name, if that says which.
                    words = (name,) if members[name] == 1 else (*path, name)
                    variable = "_".join((prefix, *words))
                    constant = Constant(variable, value.c_type, value.values, value.alignment)
                    self.constants.append(constant)
                    result[name] = variable
                elif isinstance(value, Mapping):
                    result[name] = named(value, (*path, name))
                else:
                    result[name] = value
            return result

        return named(fields, ())

    def _title(self, layer: Layer) -> str:
        tensors = self.graph.tensors
        sources = " and ".join(
            names.shape(tensors[i].shape)
            for i in dict.fromkeys(t for c in layer.calls for t in c.inputs)
        )
        facts = [f"{sources} -> {names.shape(tensors[layer.output].shape)}"]
        if layer.macs:
            facts.append(f"{layer.macs:,} MACs")
        overlap = (
            "; written over what it has read of its input" if self.program.overlaps(layer) else ""
        )
        name = names.comment(tensors[layer.output].name)
        return (
            f"{layer.number}. {' + '.join(layer.kinds)} {name}\n * {', '.join(facts)}{overlap}"
            + "".join(f"\n * {note}" for note in layer.notes)
        )


def _array_paths(fields: Mapping[str, Field]) -> Iterator[tuple[str, ...]]:
    """Where there are arrays in a structure: the members' names from the outside in."""
    for name, value in fields.items():
        if isinstance(value, Array):
            yield (name,)
        elif isinstance(value, Mapping):
            yield from ((name, *path) for path in _array_paths(value))


def _described(tensor: Tensor) -> str:
    return f"{names.shape(tensor.shape)} {tensor.dtype.value}"


def _float_literal(value: float) -> str:
    """The shortest decimal that reads back as the same float32."""
    return str(np.float32(value))


def _scalar(value: Any) -> str:
    if isinstance(value, list):
        return "{" + ", ".join(map(str, value)) + "}"
    if isinstance(value, float):
        return f"{_float_literal(value)}f"
    return str(value)


def _initializer(fields: Mapping[str, Any], depth: int) -> Iterator[str]:
    """Designated initializers, as many to a line as fit; structures get lines of their own."""
    indent = INDENT * depth
    line: list[str] = []
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _lines(line, indent)
            line = []
            whole = ", ".join(f".{n} = {_scalar(v)}" for n, v in value.items())
            if len(f"{indent}.{name} = {{{whole}}},") <= WIDTH:
                yield f"{indent}.{name} = {{{whole}}},"
            else:
                yield f"{indent}.{name} = {{"
                yield from _initializer(value, depth + 1)
                yield f"{indent}}},"
        else:
            line.append(f".{name} = {_scalar(value)}")
    yield from _lines(line, indent)


def _lines(items: list[str], indent: str = INDENT, *, trailing_comma: bool = True) -> Iterator[str]:
    """Items separated by commas, filled into lines of at most `WIDTH` columns."""
    room = WIDTH - len(indent)
    line: list[str] = []
    used = 0
    for item in items:
        if line and used + len(item) + 1 > room:
            yield f"{indent}{', '.join(line)},"
            line, used = [], 0
        line.append(item)
        used += len(item) + 2
    if line:
        yield f"{indent}{', '.join(line)}{',' if trailing_comma else ''}"
