"""From a trained network to a full int8 .tflite: per channel, int8 in and out, checked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu.artefacts import write_bytes
from edgemcu.console import QUIET, Console
from edgemcu.data.dataset import LabelledImages
from edgemcu.errors import ModelError, QuantizationError
from edgemcu.evaluation import Evaluation, evaluate
from edgemcu.graph.ir import DType, Graph
from edgemcu.preprocessing import METADATA_NAME, Preprocessing, quantize_pixels
from edgemcu.reference import reference_activations, reference_name, run_reference
from edgemcu.tflite.metadata import ModelMetadata
from edgemcu.tflite.reader import parse_model
from edgemcu.tflite_edit import add_metadata, tidy_names
from edgemcu.training.architectures import PROBABILITIES
from edgemcu.training.augmentation import to_real
from edgemcu.training.backend import load_keras, load_tensorflow, silenced
from edgemcu.training.sampling import stratified_sample
from edgemcu.training.weights import Weights, restore_network

MODEL_FILE = "model.tflite"
OUTPUTS_FILE = "reference_outputs.npy"

# More than this, in percentage points, is worth a look at the layers.
TOLERATED_LOSS = 0.5
_LAYER_PHOTOS = 16
_LAYERS_NAMED = 5


@dataclass(frozen=True)
class LayerNoise:
    """How far a layer's int8 output is from the float network's.

    Attributes:
        name: of the layer's output tensor.
        sqnr_db: signal-to-quantization-noise ratio, 10 log10(Σ float² / Σ (float − int8)²).
    """

    name: str
    sqnr_db: float


@dataclass(frozen=True)
class QuantizationResult:
    """What the quantization made and what it cost.

    Attributes:
        model_bytes: of the .tflite file.
        calibration_images: how many training photos set the ranges.
        float32: the float network on all test photos.
        int8: the int8 model on them, under the reference kernels.
        reference: which interpreter those were.
        noisiest: the layers with the least SQNR, worst first; only looked for when more than
            `TOLERATED_LOSS` points were lost.
    """

    model_bytes: int
    calibration_images: int
    float32: Evaluation
    int8: Evaluation
    reference: str
    noisiest: tuple[LayerNoise, ...] = ()

    @property
    def points_lost(self) -> float:
        """Accuracy lost, in percentage points; negative if it rose."""
        return 100 * (self.float32.accuracy - self.int8.accuracy)

    def to_json(self) -> dict[str, Any]:
        return {
            "model_bytes": self.model_bytes,
            "calibration_images": self.calibration_images,
            "float": self.float32.to_json(),
            "int8": self.int8.to_json(),
            "points_lost": self.points_lost,
            "reference": self.reference,
            "noisiest": [asdict(layer) for layer in self.noisiest],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> QuantizationResult:
        return cls(
            value["model_bytes"],
            value["calibration_images"],
            Evaluation.from_json(value["float"]),
            Evaluation.from_json(value["int8"]),
            value["reference"],
            tuple(LayerNoise(**layer) for layer in value["noisiest"]),
        )


def quantize(
    weights: Weights,
    train: LabelledImages,
    test: LabelledImages,
    float_probabilities: NDArray[np.float32],
    *,
    calibration_images: int = 500,
    seed: int = 0,
    trained: Mapping[str, Any] | None = None,
    out: Path,
    console: Console = QUIET,
) -> QuantizationResult:
    """Quantize a trained network and measure it over all test photos.

    Args:
        weights: the network.
        train: photos to calibrate on.
        test: photos to measure with.
        float_probabilities: the float network's answers to `test`, (N, classes).
        calibration_images: how many of `train` to use, as evenly over the classes as possible.
        seed: which ones.
        trained: how the network was trained, for the model's metadata; must be JSON-able.
        out: folder that receives `MODEL_FILE` and `OUTPUTS_FILE` (the reference kernels' answers
            to `test`, int8, (N, classes)).
        console: hears about progress.

    Raises:
        QuantizationError: what came out is not a full int8 model that can run.
        ToolMissingError: TensorFlow is not installed.
    """
    spec = weights.preprocessing
    chosen = stratified_sample(train.labels, calibration_images, seed)
    console.info(f"quantizing to int8, calibrated on {len(chosen)} training photos")
    network = restore_network(weights)
    photos = train.images[chosen]
    data = tidy_names(convert_int8(network, spec, photos), output=PROBABILITIES)
    graph = check_int8(data)
    data = add_metadata(data, METADATA_NAME, _metadata(weights, trained or {}))
    path = out / MODEL_FILE
    write_bytes(path, data)
    outputs = run_reference(path, input_rows(graph, spec, test.images), console=console).view(
        np.int8
    )
    np.save(out / OUTPUTS_FILE, outputs, allow_pickle=False)
    result = QuantizationResult(
        model_bytes=len(data),
        calibration_images=len(chosen),
        float32=evaluate(test.labels, float_probabilities.argmax(1), test.classes),
        int8=evaluate(test.labels, outputs.argmax(1), test.classes),
        reference=reference_name(),
    )
    if result.points_lost <= TOLERATED_LOSS:
        return result
    noisiest = layer_noise(network, spec, path, photos[:: -(-len(photos) // _LAYER_PHOTOS)])
    worst = ", ".join(f"{layer.name} ({layer.sqnr_db:.0f} dB)" for layer in noisiest)
    console.warn(
        f"int8 costs {result.points_lost:.1f} points of accuracy; the noisiest layers: {worst}"
    )
    return QuantizationResult(**{**vars(result), "noisiest": noisiest})


def convert_int8(network: Any, preprocessing: Preprocessing, photos: NDArray[np.uint8]) -> bytes:
    """Convert a Keras model to full int8 with TensorFlow Lite's converter.

    Args:
        network: from `build_network`.
        preprocessing: its input.
        photos: to calibrate on: uint8, (N, H, W, C).

    Returns:
        A .tflite file of batch 1. Its input's quantization maps pixel 0…255 onto -128…127.

    Raises:
        QuantizationError: the converter refuses.
    """
    tf = load_tensorflow()

    def calibration() -> Iterator[list[NDArray[np.float32]]]:
        for index, photo in enumerate(photos):
            if index == 0:
                # Both ends of the range, so that the input's quantization is one step per pixel
                # value whatever the photos hold.
                photo = photo.copy()
                photo[0, 0], photo[0, 1] = 0, 255
            yield [to_real(photo[None], preprocessing)]

    converter = _converter(network, preprocessing)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = calibration
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return _convert(converter)


def check_int8(data: bytes, source: str = MODEL_FILE) -> Graph:
    """Read a freshly quantized model and make sure that it is int8 from end to end.

    The reader also refuses degenerate scales, on which the interpreter would abort: call this
    before running one.

    Raises:
        QuantizationError: it is not.
    """
    try:
        graph = parse_model(data, source)
    except ModelError as problem:
        raise QuantizationError(
            f"the quantized network cannot run: {problem.message}",
            where=problem.where,
            hint="train longer (activations that never leave zero have no usable scale), or "
            "train with another seed",
        ) from None
    for index in (*graph.inputs, *graph.outputs, *(i for op in graph.ops for i in op.inputs)):
        tensor = graph.tensors[index]
        if tensor.dtype is DType.FLOAT32:
            raise QuantizationError(f"{tensor.name!r} is still float32", where=source)
    return graph


def input_rows(
    graph: Graph, preprocessing: Preprocessing, images: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """The raw input bytes of photos: uint8, (N, H × W × C)."""
    quantization = graph.tensors[graph.inputs[0]].quantization
    assert quantization is not None
    values = quantize_pixels(images, preprocessing, quantization.scale, quantization.zero_point)
    return values.reshape(len(images), -1).view(np.uint8)


def layer_noise(
    network: Any, preprocessing: Preprocessing, int8_model: Path, photos: NDArray[np.uint8]
) -> tuple[LayerNoise, ...]:
    """The layers whose int8 outputs differ most from the float network's, worst first.

    Args:
        network: the float network that `int8_model` was made from.
        preprocessing: its input.
        int8_model: the .tflite.
        photos: uint8, (N, H, W, C); a dozen are enough.
    """
    keras = load_keras()
    graph = parse_model(int8_model.read_bytes(), int8_model.name)
    found = reference_activations(int8_model, input_rows(graph, preprocessing, photos))
    layers = {layer.name for layer in network.layers}
    pairs = [(name, _layer_of(name, layers)) for name in found]
    named = [(name, layer) for name, layer in pairs if layer is not None]
    watched = keras.Model(network.input, [network.get_layer(layer).output for _, layer in named])
    wanted = watched(to_real(photos, preprocessing), training=False)
    noise = [
        LayerNoise(name, _sqnr_db(values.numpy(), found[name].reshape(values.shape)))
        for (name, _), values in zip(named, wanted, strict=True)
    ]
    return tuple(sorted(noise, key=lambda layer: layer.sqnr_db)[:_LAYERS_NAMED])


def _layer_of(tensor: str, layers: set[str]) -> str | None:
    """The Keras layer whose output the tensor of that (tidied) name is: the last that was fused."""
    for suffix in ("_relu", "_norm", ""):
        if tensor + suffix in layers:
            return tensor + suffix
    return None


def _sqnr_db(wanted: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    signal = float(np.square(wanted, dtype=np.float64).sum())
    noise = float(np.square(wanted - found, dtype=np.float64).sum())
    return 10 * float(np.log10((signal + 1e-30) / (noise + 1e-30)))


def _metadata(weights: Weights, trained: Mapping[str, Any]) -> bytes:
    metadata = ModelMetadata(weights.preprocessing, weights.classes).to_json()
    metadata["training"] = dict(trained)
    return json.dumps(metadata, sort_keys=True, ensure_ascii=False).encode()


def _converter(network: Any, preprocessing: Preprocessing) -> Any:
    tf, keras = load_tensorflow(), load_keras()
    # A fixed batch: a dynamic one drags SHAPE, STRIDED_SLICE and PACK into the model.
    image = keras.Input(batch_shape=(1, *preprocessing.shape), name="image")
    return tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, network(image)))


def _convert(converter: Any) -> bytes:
    try:
        with silenced():
            return bytes(converter.convert())
    except Exception as problem:
        # The converter raises whatever MLIR, protobuf or the calibrator came up with.
        text = str(problem).strip().splitlines() or [type(problem).__name__]
        raise QuantizationError(
            f"TensorFlow Lite's converter refused the network: {text[-1][:300]}"
        ) from problem
