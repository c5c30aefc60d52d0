"""The TFLM runtime: the model as an array, interpreted by TensorFlow Lite Micro.

TFLM's own sources are a library that PlatformIO gets for the generated project: `DEFAULT_LIBRARY`,
or what the project file's `tflm.library` names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

from edgemcu._version import __version__
from edgemcu.board_schema import Board
from edgemcu.compiler.kernels.esp_nn import VERSION as ESP_NN_VERSION
from edgemcu.errors import ProjectError, ToolMissingError
from edgemcu.firmware.cmsis_nn import extension
from edgemcu.firmware.escape import c_bytes
from edgemcu.firmware.esp_nn import TFLM_COMPONENT
from edgemcu.firmware.runtime import LIBRARY, ModelSource, RuntimeSources, library_json
from edgemcu.firmware.templates import render
from edgemcu.firmware.tflm_arena import ArenaEstimate, compute_arena
from edgemcu.firmware.tflm_kernels import OPERATORS, Kernels, check_operators
from edgemcu.firmware.tflm_sizes import AAPCS, ILP32, LP64, Abi
from edgemcu.graph.ir import Tensor
from edgemcu.tflite.file import ModelFile, open_model

# TFLM of August 2023 with reference kernels; the only PlatformIO library of it known to build
# without a framework.
DEFAULT_LIBRARY = (
    "https://github.com/trylaarsdam/pio-tflite-lib.git#a887b00541e4817abbaa0cebf0b167379f896e50"
)

_BUILD_FLAGS = (
    "-std=c++17",
    "-DNDEBUG",
    # No optional parts in TFLM's structs: whoever includes its headers must agree on this.
    "-DTF_LITE_STATIC_MEMORY",
    "-DTF_LITE_STRIP_ERROR_STRINGS",
)
# The second as in TFLM's own makefile: with MVE, sums of weights are made once.
_CMSIS_NN_FLAGS = ("-DCMSIS_NN", "-DKERNELS_OPTIMIZED_FOR_SPEED")
_LOCAL = ("symlink://", "file://")
_HINT = (
    'name one in edgemcu.toml, [tflm] library = "…": a folder that is a PlatformIO library, '
    "or an address that it can install from; docs/tflm.md says how to make one"
)


def tflm_sources(model: ModelSource, board: Board, library: str | None) -> RuntimeSources:
    """The model's library for a generated project, and what it needs from PlatformIO.

    Args:
        library: where PlatformIO gets TFLM from, None for `DEFAULT_LIBRARY`.

    Raises:
        UnsupportedModelError: operators or a memory plan that TFLM would not run as edgemcu
            sets it up.
        ToolMissingError: `library` is a folder that is not there, or does not hold TFLM.
    """
    if board.platformio.framework == "espidf":
        return _esp_idf_sources(model, library)
    check_library(library)
    kernels = library_kernels(library, board.kernels.tflm)
    file = open_model(model.data, "the model")
    check_operators(file)
    arena = compute_arena(file, board_abi(board), kernels, extension(board.core.name))
    return RuntimeSources(
        name="tflm",
        kernels=kernels,
        files=tflm_files(model, file, arena, kernels, hosted=board.hosted),
        arena_bytes=arena.bytes,
        weights_bytes=len(model.data),
        cplusplus=True,
        build_flags=_BUILD_FLAGS + (_CMSIS_NN_FLAGS if kernels == "cmsis-nn" else ()),
        lib_deps=(library or DEFAULT_LIBRARY,),
        # Bare-metal platforms link the mathematical library by themselves.
        libraries=("m",) if board.hosted else (),
    )


def _esp_idf_sources(model: ModelSource, library: str | None) -> RuntimeSources:
    """With Espressif's component, which the component manager gets; ESP-NN is always on in it.

    Raises:
        UnsupportedModelError: operators or a memory plan that TFLM would not run as edgemcu
            sets it up.
        ProjectError: a library of one's own, which has no place in a project for ESP-IDF.
    """
    if library is not None:
        raise ProjectError(
            f"TensorFlow Lite Micro for ESP-IDF is the component {TFLM_COMPONENT[0]}",
            where=library,
            hint="leave [tflm] library and EDGEMCU_TFLM_LIBRARY out for this board",
        )
    file = open_model(model.data, "the model")
    check_operators(file)
    arena = compute_arena(file, ILP32, "esp-nn")
    return RuntimeSources(
        name="tflm",
        kernels="esp-nn",
        # ESP-IDF has a C library with an abort of its own, like a hosted system.
        files=tflm_files(model, file, arena, "esp-nn", hosted=True),
        arena_bytes=arena.bytes,
        weights_bytes=len(model.data),
        cplusplus=True,
        components=(TFLM_COMPONENT, ("espressif/esp-nn", ESP_NN_VERSION)),
    )


def tflm_files(
    model: ModelSource,
    file: ModelFile,
    arena: ArenaEstimate,
    kernels: Kernels,
    *,
    hosted: bool = False,
) -> dict[str, str]:
    """lib/edgemcu_model/ of a generated project: path → text."""
    context: dict[str, Any] = {
        "version": __version__,
        "digest": model.digest,
        "kernels": kernels,
        "hosted": hosted,
        "per_channel_dense": has_per_channel_dense(file),
        "arena": arena,
        "operators": op_resolver(file, kernels),
        "inputs": [_described(model.graph.tensors[index]) for index in model.graph.inputs],
        "outputs": [_described(model.graph.tensors[index]) for index in model.graph.outputs],
        "data": model.data,
        "digest_bytes": c_bytes(bytes.fromhex(model.digest), indent="        "),
    }
    names = ("edgemcu_model.h", "edgemcu_tflm.cpp", "model_data.c", "model_data.h")
    files = {f"{LIBRARY}/{name}": render(f"tflm/{name}.jinja", context) for name in names}
    files[f"{LIBRARY}/sha256.h"] = render("model/sha256.h", context)
    files[f"{LIBRARY}/library.json"] = library_json()
    return files


def has_per_channel_dense(file: ModelFile) -> bool:
    """Whether a FULLY_CONNECTED has several scales, which TFLM understands since 2024 only."""
    return any(
        op.name == "FULLY_CONNECTED" and len(file.tensors[op.inputs[1]].scales) > 1
        for op in file.operators
    )


def op_resolver(file: ModelFile, kernels: Kernels = "reference") -> list[str]:
    """The resolver's calls for exactly the model's operators, such as "AddConv2D()", sorted.

    CMSIS-NN's int8 kernels are named one by one: a library without them does not link, so that
    they cannot be off unnoticed.
    """
    names = sorted({op.name for op in file.operators})
    return [f"Add{OPERATORS[n].method}({OPERATORS[n].registration(kernels)})" for n in names]


def board_abi(board: Board) -> Abi:
    """How the board's compiler lays out structs."""
    return LP64 if board.hosted else AAPCS


def library_kernels(library: str | None, promised: Kernels = "reference") -> Kernels:
    """Which kernels a library brings.

    Of a local folder it is seen, of the default library known. What lies behind any other address
    must be what the board's file promises: if it is not, the firmware does not link.
    """
    if library is None or library == DEFAULT_LIBRARY:
        return "reference"
    folder = _local_folder(library)
    if folder is None:
        return promised
    return "cmsis-nn" if next(folder.rglob("arm_nnfunctions.h"), None) else "reference"


def check_library(library: str | None) -> None:
    """See whether a library that is named by its folder is there.

    Raises:
        ToolMissingError: the folder does not exist, or holds no TFLM.
    """
    folder = _local_folder(library)
    if folder is None:
        return
    if not folder.is_dir():
        raise ToolMissingError(
            "there is no such folder with TensorFlow Lite Micro", where=str(folder), hint=_HINT
        )
    if next(folder.rglob("micro_interpreter.h"), None) is None:
        raise ToolMissingError(
            "TensorFlow Lite Micro is not in this folder", where=str(folder), hint=_HINT
        )


def _local_folder(library: str | None) -> Path | None:
    prefix = next((p for p in _LOCAL if library is not None and library.startswith(p)), None)
    return Path(unquote(library[len(prefix) :])) if library and prefix else None


def _described(tensor: Tensor) -> dict[str, Any]:
    shape = "x".join(str(size) for size in tensor.shape) or "scalar"
    facts: dict[str, Any] = {
        "bytes": tensor.bytes,
        "note": f"{shape} {tensor.dtype.value}: {tensor.name}",
        "scale": "",
        "zero_point": 0,
    }
    if tensor.quantization is not None:
        scale = f"{tensor.quantization.scale:.9g}"
        facts["scale"] = f"{scale}f" if set(scale) & set(".e") else f"{scale}.0f"
        facts["zero_point"] = tensor.quantization.zero_point
    return facts
