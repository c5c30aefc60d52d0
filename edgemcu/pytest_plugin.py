"""The pytest plugin: fixtures that build a project's firmware and talk to it, target by target.

pytest loads this wherever edgemcu is installed, so nothing heavy is imported until a fixture is
used. docs/pytest.md is its manual.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgemcu.device.protocol import Identity, Kind
    from edgemcu.device.session import DeviceSession, InferenceResult
    from edgemcu.report.verification import Verification
    from edgemcu.steps.classify import ClassifiedPhoto
    from edgemcu.steps.request import FirmwareRequest
    from edgemcu.steps.subject import Subject

EMULATOR = "emulator"
LAST_LINES = 20
KEPT_LINES = 200


class Firmware:
    """A project's firmware for one target, built and ready; a port's is the one that it has.

    Attributes:
        subject: everything that is known of it.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    @property
    def board(self) -> str:
        """The board's name; of the target "host" it is `host`."""
        return self.subject.board.name

    @property
    def target(self) -> str:
        """As in --edgemcu-on."""
        return str(self.subject.target)

    @property
    def model(self) -> Path:
        """The .tflite file."""
        return self.subject.request.model

    @property
    def elf(self) -> Path | None:
        """The program; None at a port, if none was built here."""
        return self.subject.program

    @property
    def flash_bytes(self) -> int | None:
        """Of the program; None where there is none here."""
        return self.subject.memory.flash_bytes if self.subject.memory else None

    @property
    def ram_bytes(self) -> int | None:
        """Of the program, its stack included; None where there is none here."""
        return self.subject.memory.ram_bytes if self.subject.memory else None

    def __repr__(self) -> str:
        return f"<firmware for {self.board} on {self.target}>"


class Device:
    """A firmware that runs: connected to when it is needed, and again after it has failed."""

    def __init__(self, firmware: Firmware) -> None:
        self.firmware = firmware
        self._session: DeviceSession | None = None
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)

    @property
    def target(self) -> str:
        """As in --edgemcu-on."""
        return self.firmware.target

    @property
    def session(self) -> DeviceSession:
        """The conversation with it; raises DeviceError if it does not answer."""
        return self.start()

    def start(self) -> DeviceSession:
        """Start it, or connect to it, unless that is done; returns the session."""
        if self._session is None:
            self._lines.clear()
            self._session = self.firmware.subject.open(on_line=self._lines.append)
        return self._session

    @property
    def identity(self) -> Identity:
        """What the firmware says about itself: board, model, runtime, kernels, arena."""
        return self.session.identity

    @property
    def log(self) -> list[str]:
        """The device's last lines for people, of this session or of the one that failed."""
        return list(self._lines)

    def classify(self, photo: Path | str | NDArray[np.uint8], *, top: int = 3) -> ClassifiedPhoto:
        """Have the device classify a photo: `label`, `score`, `ranking`, `instructions`.

        Args:
            photo: a file, or decoded pixels: uint8, (H, W), (H, W, 1) or (H, W, 3).
            top: how many classes are ranked.

        Raises:
            DatasetError: the file is missing, damaged or not a photo.
            InputsError: the model takes no photos.
            DeviceError: the device faulted, hung, or gave no right answer.
        """
        from edgemcu.steps.classify import classify_pixels, photo_pixels

        subject = self.firmware.subject
        pixels = photo_pixels(subject, Path(photo) if isinstance(photo, str) else photo)
        name = str(photo) if isinstance(photo, (str, Path)) else ""
        with self._watched():
            return classify_pixels(subject, self.session, pixels, top=top, name=name)

    def infer(self, data: bytes, kind: Kind | int = 0) -> InferenceResult:
        """Run the model on the input tensors' own bytes (kind 0) or on pixels (kind 1)."""
        from edgemcu.device.protocol import Kind

        with self._watched():
            return self.session.infer(data, Kind(kind))

    def verify(
        self,
        *,
        images: int | None = None,
        photos: Path | str | None = None,
        inputs: str | None = None,
    ) -> Verification:
        """As `edgemcu verify`, in this session: `assert device.verify(images=20).passed`.

        Args:
            images: how many photos; by default the project's `verify.images`.
            photos: a folder of class folders; by default the project's.
            inputs: "random:N" or a .npy file in place of photos.
        """
        from edgemcu.steps.verify import verify_session

        folder = Path(photos) if isinstance(photos, str) else photos
        with self._watched():
            return verify_session(
                self.firmware.subject, self.session, images=images, photos=folder, inputs=inputs
            )

    def close(self) -> None:
        """End the session; the next use starts another one."""
        if self._session is not None:
            self._session.close()
            self._session = None

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """After an error of the device its session is of no use to the next test."""
        from edgemcu.errors import DeviceError

        try:
            yield
        except (DeviceError, KeyboardInterrupt):
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<edgemcu device: {self.firmware.board} on {self.target}>"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("edgemcu", "firmware on a host process, in an emulator, on a board")
    group.addoption(
        "--edgemcu-on",
        action="append",
        metavar="TARGET",
        help="where the firmware runs: host, qemu, renode, or a port; may be repeated, or several "
        "separated by commas (default: where the project's board is emulated)",
    )
    group.addoption(
        "--edgemcu-project", metavar="PATH", help="the project's folder (default: the root folder)"
    )
    group.addoption("--edgemcu-model", metavar="FILE", help="a .tflite, with or without a project")
    group.addoption("--edgemcu-board", metavar="BOARD", help="another board than the project's own")
    group.addoption(
        "--edgemcu-require",
        action="store_true",
        help="fail, in place of skipping, where an emulator is not installed",
    )
    parser.addini("edgemcu_on", "as --edgemcu-on", type="args", default=[])
    parser.addini("edgemcu_project", "as --edgemcu-project, from the root folder", default="")
    parser.addini("edgemcu_model", "as --edgemcu-model, from the root folder", default="")
    parser.addini("edgemcu_board", "as --edgemcu-board", default="")


def pytest_configure(config: pytest.Config) -> None:
    # pytest looks for its root folder and its settings from each word of the command line that is
    # an existing path, the value of another option or not.
    words = config.invocation_params.args
    for option, value in pairwise(str(word) for word in words):
        if option == "--edgemcu-on" and Path(value).exists():
            raise pytest.UsageError(
                f"pytest takes {value} for a folder of tests: write --edgemcu-on={value}"
            )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "edgemcu_target" in metafunc.fixturenames:
        targets = _targets(metafunc.config)
        metafunc.parametrize("edgemcu_target", targets, indirect=True, scope="session")


def _targets(config: pytest.Config) -> list[str]:
    given: list[str] = config.getoption("edgemcu_on") or config.getini("edgemcu_on")
    words = [word.strip() for text in given for word in text.split(",")]
    # Twice the same would run everything twice under one name.
    return list(dict.fromkeys(word for word in words if word)) or [EMULATOR]


@pytest.fixture(scope="session")
def edgemcu_target(request: pytest.FixtureRequest) -> str:
    """Where the firmware runs, as in --edgemcu-on; "emulator" is the board's own."""
    target: str = request.param
    return target


@pytest.fixture(scope="session")
def edgemcu_request(pytestconfig: pytest.Config) -> FirmwareRequest:
    """Which firmware is tested: --edgemcu-project, --edgemcu-model and --edgemcu-board."""
    from edgemcu.errors import EdgemcuError
    from edgemcu.project import PROJECT_FILE
    from edgemcu.steps.request import firmware_request

    project = _path(pytestconfig, "edgemcu_project") or pytestconfig.rootpath
    model = _path(pytestconfig, "edgemcu_model")
    board = pytestconfig.getoption("edgemcu_board") or pytestconfig.getini("edgemcu_board")
    if model is None and not project.is_file() and not (project / PROJECT_FILE).is_file():
        pytest.fail(
            f"edgemcu: there is no {PROJECT_FILE} in {project}: name a project with "
            "--edgemcu-project, a model with --edgemcu-model, or make a project with "
            "`edgemcu init`",
            pytrace=False,
        )
    try:
        return firmware_request(project, model=model, board=board or None)
    except EdgemcuError as error:
        pytest.fail(f"edgemcu: {error}", pytrace=False)


def _path(config: pytest.Config, name: str) -> Path | None:
    """An option's path, from where pytest was called, or a setting's, from the root folder."""
    if option := config.getoption(name):
        return config.invocation_params.dir / str(option)
    setting: str = config.getini(name)
    return config.rootpath / setting if setting else None


@pytest.fixture(scope="session")
def edgemcu_firmware(
    edgemcu_request: FirmwareRequest, edgemcu_target: str, pytestconfig: pytest.Config
) -> Firmware:
    """The project's firmware for the target, built once; skips where the emulator is missing."""
    from edgemcu.device.target import require_target
    from edgemcu.errors import EdgemcuError, ToolMissingError
    from edgemcu.steps.subject import find_target, prepare

    on = None if edgemcu_target == EMULATOR else edgemcu_target
    try:
        _, board, target = find_target(edgemcu_request, on)
        try:
            require_target(board, target)
        except ToolMissingError as error:
            if pytestconfig.getoption("edgemcu_require"):
                raise
            hint = f" ({error.hint})" if error.hint else ""
            pytest.skip(f"edgemcu on {target}: {error.message}{hint}")
        return Firmware(prepare(edgemcu_request, on=on))
    except EdgemcuError as error:
        pytest.fail(f"edgemcu on {edgemcu_target}: {error}", pytrace=False)


@pytest.fixture(scope="session")
def edgemcu_device(edgemcu_firmware: Firmware) -> Iterator[Device]:
    """The firmware, running: classify(photo), verify(images=N), infer(data), identity, log."""
    from edgemcu.errors import EdgemcuError

    device = Device(edgemcu_firmware)
    try:
        device.start()
    except EdgemcuError as error:
        pytest.fail(f"edgemcu on {device.target}: {error}", pytrace=False)
    yield device
    device.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """A failed test shows what the device has said last."""
    outcome = yield
    report = outcome.get_result()
    device = getattr(item, "funcargs", {}).get("edgemcu_device")
    if report.failed and isinstance(device, Device):
        said = "\n".join(device.log[-LAST_LINES:])
        title = f"last output of the device ({device.firmware.board} on {device.target})"
        report.sections.append((title, said or "(none)"))
