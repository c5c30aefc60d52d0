"""edgemcu: image classifiers on microcontrollers, with every output byte proven.

Each verb of the command line is one function here; importing the package imports none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from edgemcu._version import __version__

_PUBLIC = {
    "EdgemcuError": "edgemcu.errors",
    "bench_models": "edgemcu.steps.bench",
    "build_firmware": "edgemcu.steps.build",
    "classify_photos": "edgemcu.steps.classify",
    "describe_dataset": "edgemcu.steps.dataset",
    "diagnose": "edgemcu.steps.doctor",
    "generate_firmware": "edgemcu.steps.generate",
    "init_project": "edgemcu.steps.init",
    "inspect_model": "edgemcu.steps.inspect",
    "list_boards": "edgemcu.boards",
    "load_board": "edgemcu.boards",
    "load_project": "edgemcu.project",
    "quantize_model": "edgemcu.steps.quantize",
    "run_firmware": "edgemcu.steps.run",
    "train_model": "edgemcu.steps.train",
    "verify_firmware": "edgemcu.steps.verify",
}

__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'edgemcu' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
