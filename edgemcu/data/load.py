"""The one way to photos: by the spec's source, ready for the network."""

from __future__ import annotations

from pathlib import Path

from edgemcu.console import QUIET, Console
from edgemcu.data.builtin import BuiltInSource
from edgemcu.data.cifar10 import CIFAR10
from edgemcu.data.dataset import Dataset, DatasetSpec
from edgemcu.data.fashion_mnist import FASHION_MNIST
from edgemcu.preprocessing import Preprocessing

BUILT_IN: dict[str, BuiltInSource] = {source.name: source for source in (CIFAR10, FASHION_MNIST)}


def load_dataset(
    spec: DatasetSpec,
    preprocessing: Preprocessing,
    *,
    cache: Path | None = None,
    console: Console = QUIET,
) -> Dataset:
    """Training and test photos in the network's size and colour.

    A built-in dataset is fetched on first use; a folder's photos are decoded once and kept.

    Args:
        cache: instead of `cache_directory()`.

    Raises:
        DatasetError: no such folder or class, too few photos of one, nothing to tell apart.
        DownloadError: a built-in dataset cannot be fetched.
    """
    built_in = BUILT_IN.get(spec.source)
    if built_in is not None:
        return built_in.load(spec, preprocessing, cache, console)
    from edgemcu.data.folder import load_folder

    return load_folder(spec, preprocessing, cache, console)


def dataset_inventory(spec: DatasetSpec) -> str:
    """Digest of what lies where: names, sizes and times of files, none of them opened.

    Unlike `dataset_digest` it changes when a file is renamed or touched, and it knows files that
    are not photos.

    Raises:
        DatasetError: no such folder or class.
    """
    built_in = BUILT_IN.get(spec.source)
    if built_in is not None:
        return built_in.digest(spec)
    from edgemcu.data.scan import scan_folder

    return scan_folder(Path(spec.source)).digest()


def dataset_digest(
    spec: DatasetSpec, *, cache: Path | None = None, console: Console = QUIET
) -> str:
    """`Dataset.digest` without loading the photos: fast once they have been loaded.

    Raises:
        DatasetError: no such folder or class.
    """
    built_in = BUILT_IN.get(spec.source)
    if built_in is not None:
        return built_in.digest(spec)
    from edgemcu.data.folder import folder_digest

    return folder_digest(spec, cache, console)
