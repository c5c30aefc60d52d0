"""What a runtime brings into a generated project, whichever runtime it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class RuntimeSources:
    """A model, turned into sources behind the interface of edgemcu_model.h.

    Attributes:
        name: "compiled" or "tflm".
        kernels: which kernels compute it, such as "portable" or "cmsis-nn".
        files: path in the generated project → text; lib/edgemcu_model/edgemcu_model.h is one.
        arena_bytes: RAM for activations, planned or computed ahead of time.
        weights_bytes: constants in flash.
        code_bytes: what is surely needed in flash beside the weights.
        cplusplus: whether static constructors must be run.
        build_flags: for every source of the project.
        lib_deps: `lib_deps` of platformio.ini.
        libraries: linked in addition, such as "stdc++".
        link_flags: for the linker.
    """

    name: str
    kernels: str
    files: Mapping[str, str]
    arena_bytes: int
    weights_bytes: int
    code_bytes: int = 0
    cplusplus: bool = False
    build_flags: tuple[str, ...] = ()
    lib_deps: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    link_flags: tuple[str, ...] = ()
