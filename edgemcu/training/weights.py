"""Trained weights as a file: an .npz of named arrays and a JSON that says what network they fit.

No pickle, no Keras configuration: the network is rebuilt by `build_network` from the JSON.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu.artefacts import write_bytes
from edgemcu.errors import ModelError, TrainingError
from edgemcu.preprocessing import Preprocessing
from edgemcu.training.architectures import LOGITS, NetworkConfig, build_network

ZOO = Path(__file__).parent / "zoo"
ZOO_PREFIX = "zoo:"

_DESCRIPTION = "description.json"
_FORMAT = 1
_MAX_BYTES = 256 << 20


@dataclass(frozen=True)
class Weights:
    """A network's weights.

    Attributes:
        network: which architecture.
        preprocessing: its input.
        classes: the names of its outputs, in order.
        arrays: "LAYER/WEIGHT" → values.
    """

    network: NetworkConfig
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    arrays: Mapping[str, NDArray[np.floating[Any]]]


def network_arrays(model: Any) -> dict[str, NDArray[np.float32]]:
    """Copies of a Keras model's weights, by "LAYER/WEIGHT"."""
    return {
        f"{layer.name}/{weight.name}": np.array(weight.numpy())
        for layer in model.layers
        for weight in layer.weights
    }


def set_network_arrays(model: Any, arrays: Mapping[str, NDArray[np.floating[Any]]]) -> None:
    """Put back what `network_arrays` gave."""
    for layer in model.layers:
        for weight in layer.weights:
            weight.assign(arrays[f"{layer.name}/{weight.name}"].astype(np.float32))


def save_weights(path: Path, weights: Weights, *, half: bool = False) -> None:
    """Write `weights`, as float16 if `half`; the same weights give the same bytes."""
    description = {
        "format": _FORMAT,
        "network": weights.network.to_json(),
        "preprocessing": weights.preprocessing.to_json(),
        "classes": list(weights.classes),
    }
    text = json.dumps(description, sort_keys=True).encode()
    dtype = np.float16 if half else np.float32
    stream = io.BytesIO()
    members: dict[str, Any] = {_DESCRIPTION: np.frombuffer(text, np.uint8)}
    members.update({name: weights.arrays[name].astype(dtype) for name in sorted(weights.arrays)})
    np.savez(stream, **members)
    write_bytes(path, stream.getvalue())


def load_weights(path: Path) -> Weights:
    """Read what `save_weights` wrote.

    Raises:
        TrainingError: there is no such file, or it is not one of these.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > _MAX_BYTES:
                raise TrainingError("is too large for a network's weights", where=str(path))
        with np.load(path, allow_pickle=False) as members:
            arrays = {name: members[name] for name in members.files}
        description = json.loads(arrays.pop(_DESCRIPTION).tobytes())
        if description["format"] != _FORMAT:
            raise ValueError(f"its format is {description['format']!r}, not {_FORMAT}")
        return Weights(
            NetworkConfig(**description["network"]),
            Preprocessing.from_json(description["preprocessing"], where=str(path)),
            tuple(str(name) for name in description["classes"]),
            arrays,
        )
    except FileNotFoundError:
        raise TrainingError("there is no such file of weights", where=str(path)) from None
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        zipfile.BadZipFile,
        ModelError,
    ) as e:
        raise TrainingError(
            f"is not a file of weights that edgemcu wrote: {e}",
            where=str(path),
            hint="give the weights.npz that `edgemcu train` leaves in build/train",
        ) from None


def restore_network(weights: Weights) -> Any:
    """The Keras model that `weights` belong to, with them in it.

    Raises:
        TrainingError: the arrays do not fit the network that the file names.
    """
    model = build_network(weights.network, weights.preprocessing, len(weights.classes))
    for layer in model.layers:
        for weight in layer.weights:
            name = f"{layer.name}/{weight.name}"
            if name not in weights.arrays or weights.arrays[name].shape != tuple(weight.shape):
                raise TrainingError(f"the weights {name!r} are missing or of another shape")
    set_network_arrays(model, weights.arrays)
    return model


def init_path(init: str) -> Path:
    """The file that `--init` means: "zoo:NAME" ships with edgemcu, all else is a path.

    Raises:
        TrainingError: the zoo has no such network.
    """
    if not init.startswith(ZOO_PREFIX):
        return Path(init).expanduser()
    path = ZOO / f"{init.removeprefix(ZOO_PREFIX)}.npz"
    known = zoo_names()
    if path.stem not in known:
        raise TrainingError(
            f"the zoo has no {init.removeprefix(ZOO_PREFIX)!r}",
            where=init,
            hint=f"it has: {', '.join(known)}",
        )
    return path


def zoo_names() -> tuple[str, ...]:
    """The networks that ship with edgemcu, for `--init zoo:NAME`."""
    return tuple(sorted(path.stem for path in ZOO.glob("*.npz")))


def initialize_from(model: Any, classes: tuple[str, ...], init: Weights, *, where: str) -> str:
    """Start `model` from `init`: every layer's weights, and the head's for classes of equal name.

    Args:
        model: a freshly built network.
        classes: its classes.
        init: what to start from.
        where: what to name in an error.

    Returns:
        What was taken over, in a few words.

    Raises:
        TrainingError: the two networks differ in architecture, width or colour.
    """
    arrays = {}
    for layer in model.layers:
        for weight in layer.weights:
            name = f"{layer.name}/{weight.name}"
            if layer.name == LOGITS:
                arrays[name] = _head(weight.numpy(), classes, init.arrays.get(name), init.classes)
                continue
            values = init.arrays.get(name)
            if values is None or values.shape != tuple(weight.shape):
                raise TrainingError(
                    f"these weights are of a {init.network.architecture} of width "
                    f"{init.network.width:g} for {init.preprocessing.width} pixels "
                    f"({init.preprocessing.colour}) and do not fit this network (at {name})",
                    where=where,
                    hint="give [model] and [preprocessing] the same architecture, width, size "
                    "and colour, or train from scratch",
                )
            arrays[name] = values
    set_network_arrays(model, arrays)
    known = [name for name in classes if name in init.classes]
    return f"with its outputs for {', '.join(known)}" if known else "with a new head"


def _head(
    fresh: NDArray[np.float32],
    classes: tuple[str, ...],
    values: NDArray[np.floating[Any]] | None,
    value_classes: tuple[str, ...],
) -> NDArray[np.float32]:
    head = np.array(fresh)
    if values is None or values.shape != (*fresh.shape[:-1], len(value_classes)):
        return head
    for index, name in enumerate(classes):
        if name in value_classes:
            head[..., index] = values[..., value_classes.index(name)]
    return head
