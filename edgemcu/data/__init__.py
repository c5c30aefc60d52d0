"""Photos: fetching, decoding, looking for trouble, splitting."""

from edgemcu.data.cache import cache_directory
from edgemcu.data.dataset import Dataset, DatasetSpec, Findings, LabelledImages, PhotoSizes, Skipped
from edgemcu.data.load import BUILT_IN, dataset_digest, dataset_inventory, load_dataset

__all__ = [
    "BUILT_IN",
    "Dataset",
    "DatasetSpec",
    "Findings",
    "LabelledImages",
    "PhotoSizes",
    "Skipped",
    "cache_directory",
    "dataset_digest",
    "dataset_inventory",
    "load_dataset",
]
