"""One board gets one image: is it there, write it, does it answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from edgemcu.board_schema import Board
from edgemcu.console import Console
from edgemcu.device.ports import SerialPort, name_now
from edgemcu.device.protocol import Identity
from edgemcu.device.session import DeviceSession, Limits
from edgemcu.device.target import DEFAULT_BAUD, Target, connect
from edgemcu.errors import DeviceError, EdgemcuError, FlashError
from edgemcu.firmware import GeneratedProject
from edgemcu.platformio.core import CoreFolder
from edgemcu.platformio.image import Image
from edgemcu.platformio.upload import UploadFailed, hint, upload
from edgemcu.platformio.uploaders import Uploader, choose_uploader

LOG_NAME = "flash.log"
RETRY_S = 0.2


@dataclass(frozen=True)
class FlashLimits:
    """How long and how often flashing tries.

    Attributes:
        attempts: uploads before it is given up.
        upload_s: seconds that one upload may take.
        pause_s: seconds between two attempts, for a chip that restarts.
        present_s: seconds for the firmware that is there to say who it is, before anything is
            written.
        ready_s: seconds for the new firmware to identify itself, the time included for which a
            port is away that is on the chip itself.
    """

    attempts: int = 3
    upload_s: float = 180.0
    pause_s: float = 1.0
    present_s: float = 2.0
    ready_s: float = 15.0


@dataclass(frozen=True)
class Expected:
    """Who the firmware must say it is.

    Attributes:
        board: its name.
        model: SHA-256 of the .tflite, hex.
        image: digest of the sources.
    """

    board: str
    model: str
    image: str

    @classmethod
    def of(cls, project: GeneratedProject) -> Expected:
        return cls(project.board, project.model_digest, project.image)

    def differences(self, identity: Identity) -> list[str]:
        """What `identity` says otherwise, in words."""
        return [
            f"{what} is {found or 'not told'}, not {wanted}"
            for what, found, wanted in (
                ("board", identity.board, self.board),
                ("model", identity.model, self.model),
                ("image", identity.image, self.image),
            )
            if found != wanted
        ]


@dataclass(frozen=True)
class Ready:
    """An image that waits to be written.

    Attributes:
        project: the PlatformIO project that it was built in; None if that was elsewhere.
        core: PlatformIO's folder; None where it cannot build for this board.
    """

    image: Image
    expected: Expected
    project: Path | None
    core: CoreFolder | None


def must_be(expected: Expected, identity: Identity, where: str) -> None:
    """Raises: FlashError: this is another firmware than was built, or its model is unusable."""
    if differences := expected.differences(identity):
        raise FlashError(
            "another firmware answers than was built: " + "; ".join(differences),
            where=where,
            hint="was this image built from the project as it is now? edgemcu build",
        )
    if not identity.model_ok:
        raise FlashError(
            "the firmware runs, but its model did not check out",
            where=where,
            hint="write it again with --force; what it says at its start: edgemcu monitor",
        )


@dataclass(frozen=True)
class Done:
    """How an image got to its board, for the record and for what comes next.

    Attributes:
        way: what wrote it.
        attempts: how many uploads it took.
        log: what the tool said.
        resets: whether the firmware has been started.
    """

    way: str
    attempts: int
    log: Path | None
    resets: bool = True


@dataclass(frozen=True)
class Job:
    """One board that gets one image."""

    board: Board
    expected: Expected
    port: SerialPort | None
    protocol: str
    baud: int | None
    limits: FlashLimits
    folder: Path
    console: Console

    @property
    def where(self) -> str:
        return f"{self.board.name} at {self.port.device}" if self.port else self.board.name

    def present(self) -> Identity | None:
        """Who answers at the port, if that is this image already.

        Raises:
            DeviceError: the port cannot be opened, so that it could not be flashed, either.
        """
        assert self.port is not None
        quick = Limits(ready_s=self.limits.present_s, answer_s=self.limits.present_s / 4)
        with self._session(self.port.device, quick) as session:
            try:
                identity = session.identify()
            except DeviceError:
                return None
        same = not self.expected.differences(identity) and identity.model_ok
        return identity if same else None

    def write(self, ready: Ready) -> Done:
        """Upload, again if that may help.

        Raises:
            FlashError, DeviceError, ToolMissingError: why not, and how the board is recovered.
        """
        port = self.port.device if self.port else None
        uploader = choose_uploader(
            ready.project, self.board, ready.core, ready.image, self.protocol, port, self.baud
        )
        if uploader.way != "platformio":
            self.console.info(f"flashing with {uploader.way} itself, not through PlatformIO")
        log = self.folder / LOG_NAME
        for attempt in range(1, self.limits.attempts + 1):
            try:
                self._upload_once(uploader, ready.image, port, log)
                return Done(uploader.way, attempt, log, uploader.resets)
            except UploadFailed as failure:
                if not failure.again or attempt == self.limits.attempts:
                    raise _given_up(failure.error, attempt) from None
                self.console.warn(
                    f"attempt {attempt} of {self.limits.attempts} failed: {failure.error.message}"
                )
            time.sleep(self.limits.pause_s)
        raise AssertionError("limits.attempts is at least 1")

    def _upload_once(self, uploader: Uploader, image: Image, port: str | None, log: Path) -> None:
        try:
            upload(
                uploader,
                self.board,
                image,
                port=port,
                log=log,
                timeout_s=self.limits.upload_s,
                console=self.console,
            )
        except KeyboardInterrupt:
            self.console.warn(
                f"interrupted: {self.where} may hold half an image, and does not start then; "
                f"flash it again. If it does not answer:\n{hint(self.board, None)}"
            )
            raise

    def answer(self, done: Done) -> Identity:
        """Wait until the firmware has identified itself as the one that was written.

        Raises:
            FlashError: it does not answer, or is another one.
        """
        assert self.port is not None
        if not done.resets:
            self.console.warn(f"{self.port.device} cannot reset the board: press RESET now")
        self.console.info(f"waiting for the firmware at {self.port.device}")
        deadline = time.monotonic() + self.limits.ready_s
        silence = DeviceError("the port has not come back")
        while (left := deadline - time.monotonic()) > 0:
            # A port of the chip's own goes away with the reset, also in the middle of a question.
            try:
                limits = Limits(ready_s=left, answer_s=0.5)
                with self._session(name_now(self.port), limits) as session:
                    identity = session.identify()
            except DeviceError as error:
                silence = error
                time.sleep(RETRY_S)
                continue
            must_be(self.expected, identity, self.where)
            return identity
        raise FlashError(
            f"was written, but does not answer: {silence.message}",
            where=self.where,
            hint="press RESET, or look at what it says with `edgemcu monitor`.\n"
            + hint(self.board, done.log),
        )

    def _session(self, port: str, limits: Limits) -> DeviceSession:
        baud = int(getattr(self.board.serial, "baud", DEFAULT_BAUD))
        return DeviceSession(connect(Target("port", port, baud)), limits)


def _given_up(error: EdgemcuError, attempts: int) -> EdgemcuError:
    if attempts > 1:
        error.message = f"gave up after {attempts} attempts: {error.message}"
    return error
