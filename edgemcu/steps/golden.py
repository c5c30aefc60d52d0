"""Golden outputs: the reference interpreter's answers, kept by the digests of what they are to."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgemcu.artefacts import StepFolder, sha256_file
from edgemcu.console import QUIET, Console
from edgemcu.reference import reference_name, run_reference

GOLDEN_FOLDER = "golden"
_FILE = "outputs.npy"


def inputs_digest(inputs: NDArray[np.uint8]) -> str:
    """SHA-256 of the rows' bytes and their shape, hex."""
    digest = hashlib.sha256(repr(inputs.shape).encode())
    digest.update(np.ascontiguousarray(inputs).data)
    return digest.hexdigest()


def golden_outputs(
    model: Path, inputs: NDArray[np.uint8], folder: Path, *, console: Console = QUIET
) -> NDArray[np.uint8]:
    """The reference interpreter's outputs, from `folder` if they are there and untouched.

    Args:
        inputs: uint8, (N, input bytes).
        folder: holds one folder for each model and set of inputs, each with a manifest.

    Returns:
        uint8, (N, output bytes).

    Raises:
        ModelError, ToolMissingError: as `run_reference`.
    """
    wanted = {
        "model": sha256_file(model),
        "inputs": inputs_digest(inputs),
        "reference": reference_name(),
    }
    step = StepFolder(folder / f"{wanted['model'][:12]}-{wanted['inputs'][:12]}", "golden")
    if step.result(wanted) is not None:
        known: NDArray[np.uint8] = np.load(step.path / _FILE, allow_pickle=False)
        return known
    outputs = run_reference(model, inputs, console=console)
    with step.rewriting(wanted) as staged:
        np.save(staged.path / _FILE, outputs, allow_pickle=False)
    return outputs
