"""TensorFlow and Keras, imported when first needed, quietly, or a clear error."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

from edgemcu.errors import ToolMissingError, TrainingError


def load_tensorflow() -> Any:
    """The tensorflow module.

    Raises:
        ToolMissingError: it is not installed.
        TrainingError: Keras was told to run on something else.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        with silenced():
            import tensorflow as tf
    except ImportError as problem:
        raise ToolMissingError(
            "training and quantizing need TensorFlow, which cannot be imported",
            where=str(problem),
            hint="install it with: pip install 'edgemcu[train]'",
        ) from None
    return tf


def load_keras() -> Any:
    """The keras module, on TensorFlow; errors as `load_tensorflow`."""
    load_tensorflow()
    import keras

    if keras.backend.backend() != "tensorflow":
        raise TrainingError(
            f"Keras runs on {keras.backend.backend()} here, and the export needs TensorFlow",
            where="KERAS_BACKEND",
            hint="unset the environment variable KERAS_BACKEND",
        )
    return keras


@contextmanager
def silenced() -> Iterator[None]:
    """Drop what is printed and warned inside: TensorFlow's C++ side heeds no logging level.

    Works on the file descriptors, so on all threads; a process without them is left alone.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            saved = [os.dup(1), os.dup(2)]
        except OSError:
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        try:
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                yield
        finally:
            for number, copy in enumerate(saved, 1):
                os.dup2(copy, number)
                os.close(copy)
            os.close(nowhere)
