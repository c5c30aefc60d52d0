"""Reading .tflite files that nobody vouches for."""

from edgemcu.tflite.metadata import ModelMetadata, read_metadata
from edgemcu.tflite.reader import parse_model, read_model

__all__ = ["ModelMetadata", "parse_model", "read_metadata", "read_model"]
