"""TensorFlow and Keras, imported when first needed, quietly, or a clear error."""

from __future__ import annotations

import os
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
