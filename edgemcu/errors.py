"""What edgemcu raises: one base, each message saying what was wrong, where, and what to do next."""

from __future__ import annotations


class EdgemcuError(Exception):
    """Base of every error that edgemcu raises on purpose.

    Args:
        message: what was wrong, in one sentence.
        where: the file, key, tensor, operator or port that it was found at.
        hint: what to do next.
    """

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.message = message
        self.where = where
        self.hint = hint
        super().__init__(message)

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\n{self.hint}" if self.hint else text


class ProjectError(EdgemcuError):
    """edgemcu.toml is missing, malformed, or asks for something impossible."""


class DatasetError(EdgemcuError):
    """The photos cannot be used: missing, unreadable, too few, one class alone."""


class DownloadError(DatasetError):
    """A dataset could not be fetched, or what came back is not what was expected."""


class TrainingError(EdgemcuError):
    """The network cannot be built or trained as asked."""


class QuantizationError(EdgemcuError):
    """The trained network did not turn into a full int8 model."""


class ModelError(EdgemcuError):
    """A .tflite file is damaged, hostile, or not a full int8 model."""


class UnsupportedModelError(ModelError):
    """A valid model uses operators, types or options that edgemcu does not support."""


class InputsError(EdgemcuError):
    """What was given as --inputs does not fit the model."""


class BoardError(EdgemcuError):
    """A board is unknown, or its data file breaks the schema."""


class DoesNotFitError(EdgemcuError):
    """The model needs more flash or RAM than the board has."""


class ToolMissingError(EdgemcuError):
    """A program or package that this step needs is not installed."""


class BuildError(EdgemcuError):
    """PlatformIO or the compiler refused the generated project."""


class DeviceError(EdgemcuError):
    """The firmware, or the emulator that it runs in, did not answer as it must."""


class FlashError(DeviceError):
    """The firmware could not be written to the board, or is not what runs there afterwards."""


class ProtocolError(DeviceError):
    """Bytes arrived, but not those that the wire protocol allows."""


class EmulatorError(DeviceError):
    """The emulator did not start, or the firmware in it faulted or hung."""
