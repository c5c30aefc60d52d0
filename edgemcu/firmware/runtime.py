"""What a runtime brings into a generated project, whichever runtime it is."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from edgemcu._version import __version__
from edgemcu.board_schema import Board
from edgemcu.errors import UnsupportedModelError
from edgemcu.graph.ir import Graph

LIBRARY = "lib/edgemcu_model"


@dataclass(frozen=True)
class ModelSource:
    """A model as a runtime gets it.

    Attributes:
        graph: what was read from `data`.
        data: the .tflite file's bytes.
        digest: their SHA-256, hex.
    """

    graph: Graph
    data: bytes
    digest: str


@dataclass(frozen=True)
class RuntimeSources:
    """A model, turned into sources behind the interface of edgemcu_model.h.

    Attributes:
        name: "compiled" or "tflm".
        kernels: which kernels compute it, such as "portable" or "cmsis-nn".
        files: path in the generated project → text; lib/edgemcu_model/edgemcu_model.h is one.
        arena_bytes: RAM for activations, planned or computed ahead of time.
        weights_bytes: constants in flash.
        cplusplus: whether static constructors must be run.
        build_flags: for every source of the project.
        lib_deps: `lib_deps` of platformio.ini.
        components: (name, version) of ESP-IDF components, for Espressif's component manager.
        libraries: linked in addition, such as "stdc++".
        link_flags: for the linker.
    """

    name: str
    kernels: str
    files: Mapping[str, str]
    arena_bytes: int
    weights_bytes: int
    cplusplus: bool = False
    build_flags: tuple[str, ...] = ()
    lib_deps: tuple[str, ...] = ()
    components: tuple[tuple[str, str], ...] = ()
    libraries: tuple[str, ...] = ()
    link_flags: tuple[str, ...] = ()


AUTO = "auto"
ESP_NN = "esp-nn"


def runtime_sources(
    runtime: str,
    model: ModelSource,
    board: Board,
    library: str | None,
    kernels: str = AUTO,
    no_passes: Collection[str] = (),
) -> RuntimeSources:
    """The sources of `model` for a runtime.

    Args:
        runtime: "compiled" or "tflm".
        library: where an interpreter's sources come from, None for the usual place.
        kernels: the compiled runtime's kernel set, AUTO for the one that the board names.
        no_passes: lossless passes of the compiled runtime to leave out.

    Raises:
        UnsupportedModelError: the runtime cannot compute it, there is no such kernel set or
            pass, or not for this board.
    """
    if runtime == "compiled":
        target = board.kernels.compiled if kernels == AUTO else kernels
        if target == ESP_NN and board.platformio.framework != "espidf":
            raise UnsupportedModelError(
                f"the kernels {ESP_NN} come with ESP-IDF, which {board.name} is not built on",
                hint="leave --kernels out, or choose a board with an ESP32",
            )
        return compiled_sources(model, target, no_passes)
    from edgemcu.firmware.tflm import tflm_sources

    return tflm_sources(model, board, library)


def compiled_sources(
    model: ModelSource, target: str, no_passes: Collection[str] = ()
) -> RuntimeSources:
    """The compiled runtime: C that needs nothing but a C compiler."""
    from edgemcu.compiler import compile_model

    compiled = compile_model(
        model.graph, target=target, model_digest=model.digest, without_passes=no_passes
    )
    files = {f"{LIBRARY}/{name}": text for name, text in compiled.files.items()}
    files[f"{LIBRARY}/library.json"] = library_json()
    components: tuple[tuple[str, str], ...] = ()
    if any("/kernels/esp_nn/" in name for name in files):
        from edgemcu.compiler.kernels.esp_nn import VERSION

        components = (("espressif/esp-nn", VERSION),)
    return RuntimeSources(
        name="compiled",
        kernels=target,
        files=files,
        arena_bytes=compiled.arena_bytes,
        weights_bytes=compiled.weights_bytes,
        components=components,
    )


def library_json() -> str:
    """PlatformIO's manifest of the model's library: warnings are errors in generated code."""
    manifest = {
        "name": "edgemcu_model",
        "version": __version__,
        "build": {"flags": ["-Wall", "-Wextra", "-Werror"]},
    }
    return json.dumps(manifest, indent=2) + "\n"
