"""Monitoring: figures, the log file, and the verb in a real terminal."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from fcntl import ioctl
from fractions import Fraction
from pathlib import Path

import pytest

from edgemcu.artefacts import sha256_bytes
from edgemcu.boards import load_board
from edgemcu.device.log import LogDamage, LogReader, LogRecord
from edgemcu.device.protocol import IDENTITY, Frame
from edgemcu.device.watch import Connected, Lost, WatchLimits
from edgemcu.errors import DeviceError, InputsError
from edgemcu.steps.monitor import (
    CrashPlace,
    MonitorEvent,
    MonitorSummary,
    monitor_firmware,
)
from edgemcu.steps.monitor_figures import Clock, Figures, KnownModel, nearest_rank
from edgemcu.steps.monitor_log import COLUMNS, RecordLog
from edgemcu.steps.request import firmware_request
from tests.support import device_firmware
from tests.support.device_firmware import MODEL_DIGEST
from tests.support.esp_image import identity_text
from tests.support.monitored import BOOT_GARBAGE, Port, log_bytes, send_slowly
from tests.support.tiny_classifier import CLASSES, tiny_classifier


def a_record(number: int = 1, label: str | None = "cat", **changes: object) -> LogRecord:
    facts = {
        **{"number": number, "text": f"{label} 0.93  41.20 ms  #{number}", "ticks": 4120},
        **{"model": "ab" * 8, "outputs": b"\1\2\3", "output_bytes": 3, "label": label},
        **{"score": 0.93, "milliseconds": 41.2},
    }
    return LogRecord(**{**facts, **changes})  # type: ignore[arg-type]


# ---- Figures -----------------------------------------------------------------------------------


def test_percentiles_are_by_nearest_rank() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [nearest_rank(values, p) for p in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert nearest_rank([7.0], 50) == 7.0
    assert nearest_rank([], 50) is None


def test_what_is_counted() -> None:
    figures = Figures(Clock(), None)
    for number in (5, 6, 9):
        figures.record(a_record(number, milliseconds=float(number)), now=float(number))
    assert (figures.count, figures.missed, figures.restarts) == (3, 2, 0)
    assert figures.rate(9.0) == pytest.approx(2 / 4)
    assert figures.rate(30.0) == 0.0
    # After a reset the numbers begin anew: nothing was missed.
    figures.started()
    figures.record(a_record(1, label="dog"), now=31.0)
    assert (figures.missed, figures.restarts) == (2, 1)
    # While the cable was out, nobody knows.
    figures.lost()
    figures.record(a_record(50, label="dog"), now=32.0)
    assert figures.missed == 2
    # A start whose message was lost shows in the numbers.
    figures.record(a_record(1), now=33.0)
    assert (figures.missed, figures.restarts) == (2, 2)
    assert figures.shares() == [("cat", 4 / 6), ("dog", 2 / 6)]
    assert figures.totals() == {"cat": 4, "dog": 2}
    assert figures.percentile(50) == 9.0


def test_what_an_emulator_counts_is_no_time() -> None:
    emulator = Clock(instructions_per_tick=Fraction(5, 4))
    record = a_record(ticks=1000)
    assert (emulator.value(record), emulator.unit(record)) == (1250, "instructions")
    assert Clock().unit(record) == "ms"
    assert Clock(here=True).unit(record) == "ms of this computer"
    unknown = a_record(milliseconds=None)
    assert (Clock().value(unknown), Clock().unit(unknown)) == (4120, "ticks")


def test_a_known_model_names_all_outputs(tmp_path: Path) -> None:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_classifier())
    model = KnownModel.load(path, sha256_bytes(path.read_bytes()))
    record = a_record(model=model.digest[:16], outputs=bytes([0x80, 0xFF, 0x7F]))
    scores = model.scores(record)
    assert [name for name, _ in scores] == list(CLASSES)
    assert [score for _, score in scores] == [0.0, 127 / 256, 255 / 256]
    figures = Figures(Clock(), model)
    figures.record(record, 0.0)
    assert figures.top(2) == [("cat", 0.0, 1.0), (CLASSES[2], 255 / 256, 0.0)]
    # Another model's outputs mean something else.
    assert model.scores(a_record()) == []
    assert model.scores(a_record(model=model.digest[:16], outputs=b"\1")) == []


# ---- The log file ------------------------------------------------------------------------------


def test_rows_are_appended_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "new" / "log.csv"
    log = RecordLog(path)
    log.record(a_record(1, label='Vögel, "Mauer"'), None)
    assert len(path.read_text().splitlines()) == 2, "a row is there when it was written"
    log.close()
    log = RecordLog(path)
    log.record(a_record(2), 1250)
    log.close()
    rows = list(csv.DictReader(path.open()))
    assert tuple(rows[0]) == COLUMNS
    assert (rows[0]["label"], rows[0]["milliseconds"]) == ('Vögel, "Mauer"', "41.2")
    # Instructions are no milliseconds.
    assert (rows[1]["instructions"], rows[1]["milliseconds"]) == ("1250", "")
    assert rows[1]["outputs"] == "010203"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", rows[0]["time"])


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = RecordLog(path)
    log.record(a_record(1, label=None, score=None), None)
    log.close()
    [row] = [json.loads(line) for line in path.read_text().splitlines()]
    assert row["label"] is None and row["number"] == 1
    assert tuple(row) == COLUMNS


def test_a_row_that_was_cut_off_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    RecordLog(path).close()
    with path.open("a") as file:
        file.write("2026-01-01T00:00:00.000Z,1,ca")
    log = RecordLog(path)
    log.record(a_record(2), None)
    log.close()
    assert path.read_text().splitlines()[-1].split(",")[1] == "2"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("log.txt", None, "neither .csv nor .jsonl"),
        ("log.csv", "time,value\n1,2\n", "other columns"),
        ("folder.csv", "", "cannot be written"),
    ],
)
def test_files_that_are_not_written(
    name: str, content: str | None, says: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if name == "folder.csv":
        path.mkdir()
    elif content is not None:
        path.write_text(content)
    with pytest.raises(InputsError, match=says):
        RecordLog(path)
    if content:
        assert path.read_text() == content


# ---- Monitoring a port -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a real firmware says: the start message and twelve inferences."""
    return log_bytes(tmp_path_factory.mktemp("firmware"), 12)


class Seen:
    """A view that keeps everything."""

    def __init__(self) -> None:
        self.events: list[MonitorEvent] = []

    def show(self, event: MonitorEvent, figures: Figures) -> None:
        self.events.append(event)

    def tick(self, figures: Figures) -> None: ...


class Fed:
    """A port that something sends to, from a thread."""

    def __init__(self, *parts: bytes, pause: float = 0.02) -> None:
        self.port = Port()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=send_slowly, args=(self.port, parts, self._stop, pause), daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Port:
        return self.port

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join()
        self.port.pull()


def monitor(port: Port, **options: object) -> tuple[MonitorSummary, Seen]:
    seen = Seen()
    options = {"seconds": 20.0, **options}
    return monitor_firmware(None, seen, on=port.name, **options), seen  # type: ignore[arg-type]


def test_a_port_is_listened_to(log: bytes, tmp_path: Path) -> None:
    with Fed(log) as port:
        summary, seen = monitor(port, count=30, log=tmp_path / "log.csv")
    assert (summary.ended, summary.damaged, summary.missed) == ("count", 0, 0)
    assert (summary.count, summary.restarts) == (30, 2)
    assert summary.unit == "ms" and summary.p50 is not None and summary.max is not None
    assert sum(summary.classes.values()) == summary.count
    rows = list(csv.DictReader((tmp_path / "log.csv").open()))
    assert len(rows) == summary.count
    assert {row["model"] for row in rows} == {MODEL_DIGEST[:16]}
    assert json.loads(json.dumps(summary.to_json()))["count"] == summary.count
    assert isinstance(seen.events[0], Connected)


def test_an_unknown_firmware_is_shown_escaped(log: bytes) -> None:
    noise = bytes(range(256)) * 40
    with Fed(noise, b"\n", b"Hello from somebody else\r\n", pause=0.01) as port:
        summary, seen = monitor(port, seconds=1.0)
    assert (summary.count, summary.ended) == (0, "seconds")
    texts = [event.text for event in seen.events if hasattr(event, "text")]
    assert "Hello from somebody else" in texts
    assert all(text.isprintable() or "\t" in text for text in texts)


def test_garbage_and_damage_between_the_lines(log: bytes) -> None:
    half = len(log) // 2
    flipped = bytearray(log)
    flipped[log.index(b"@em1 l") + 40] ^= 1
    with Fed(BOOT_GARBAGE, log[:half], bytes(flipped), BOOT_GARBAGE, log) as port:
        summary, seen = monitor(port, count=40)
    assert summary.damaged >= 1
    assert summary.count >= 40
    assert any(isinstance(event, LogDamage) for event in seen.events)


def test_a_fault_without_the_program_says_what_to_do() -> None:
    fault = b"edgemcu fault: HardFault exception=00000003 pc=08000100 lr=08000201\r\n"
    with Fed(fault, pause=0.05) as port:
        summary, seen = monitor(port, seconds=0.5)
    assert summary.crashes >= 1
    [text] = {place.lines for place in seen.events if isinstance(place, CrashPlace)}
    assert "build the firmware here" in text[0]


@pytest.mark.slow
def test_a_crash_is_explained_with_the_projects_program(tmp_path: Path) -> None:
    project = tmp_path / "out" / "project"
    elf = device_firmware.build("stm32f405", project, ["-g1"])
    place = project / ".pio" / "build" / "stm32f405" / "firmware.elf"
    place.parent.mkdir(parents=True)
    elf.rename(place)
    model = tmp_path / "tiny.tflite"
    model.write_bytes(tiny_classifier())
    request = firmware_request(tmp_path, model=model, board="stm32f405", out=tmp_path / "out")
    listing = subprocess.run(
        ["arm-none-eabi-nm", str(place)], capture_output=True, text=True, check=True
    ).stdout
    address = next(
        row.split()[0] for row in listing.splitlines() if row.endswith(" edgemcu_invoke")
    )
    fault = f"edgemcu fault: HardFault exception=00000003 pc={address} lr=08000001\r\n".encode()
    image = re.search(r'"([0-9a-f]{16})"', (project / "include/edgemcu_image.h").read_text())
    assert image is not None
    for there, doubted in ((image[1], False), ("another", True)):
        identity = bytes(4) + identity_text("stm32f405", "ab" * 32, there).encode()
        start = Frame(IDENTITY, 0, identity).encode()
        seen = Seen()
        with Fed(start, fault, pause=0.05) as port:
            monitor_firmware(request, seen, on=port.name, seconds=0.6)
        places = [event.lines for event in seen.events if isinstance(event, CrashPlace)]
        assert "edgemcu_invoke at lib/edgemcu_model/model.c:" in places[0][0]
        assert any("not the one that was built here" in line for line in places[0]) is doubted


def test_a_port_that_is_pulled_for_good(log: bytes) -> None:
    port = Port()
    timer = threading.Timer(0.3, port.pull)
    timer.start()
    seen = Seen()
    limits = WatchLimits(reconnects=2, pause_s=0.02, poll_s=0.02)
    summary = monitor_firmware(None, seen, on=port.name, limits=limits, seconds=20)
    timer.join()
    assert any(isinstance(event, Lost) for event in seen.events)
    assert (summary.ended, summary.exit_code) == ("failed", 1)
    assert "has not come back in 2 attempts" in str(summary.problem)
    assert "has not come back" in summary.to_json()["problem"]


def test_what_cannot_be_monitored() -> None:
    with pytest.raises(DeviceError, match="no such port"):
        monitor_firmware(None, Seen(), on="/dev/ttyNONE")
    with pytest.raises(DeviceError, match="no firmware to start"):
        monitor_firmware(None, Seen(), on="qemu")
    with pytest.raises(DeviceError, match="which port"):
        monitor_firmware(None, Seen())


def test_the_port_of_a_board_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serial.tools.list_ports.comports", list)
    with pytest.raises(DeviceError, match="no serial port on USB"):
        monitor_firmware(None, Seen(), board=load_board("esp32s3"))


# ---- In a terminal -----------------------------------------------------------------------------

COMMAND = [sys.executable, "-m", "edgemcu", "monitor"]


class Terminal:
    """The verb in a terminal of 100 × 30 characters."""

    def __init__(self, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.before = termios.tcgetattr(theirs)
        environment = {**os.environ, "TERM": "xterm-256color"}
        environment.pop("NO_COLOR", None)
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            start_new_session=True,
        )
        self._theirs = theirs
        self.text = ""

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        ends = time.monotonic() + seconds
        while text not in self.text and time.monotonic() < ends:
            self._read(0.1)
        assert text in self.text, self.text[-3000:]

    def _read(self, seconds: float) -> bool:
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        self.text += os.read(self._ours, 1 << 16).decode(errors="replace")
        return True

    def end(self) -> int:
        code = self.process.wait(30)
        while self._read(0.1):
            pass
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for file in (self._ours, self._theirs):
            os.close(file)

    @property
    def settings(self) -> list[object]:
        return termios.tcgetattr(self._theirs)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_live_table_and_its_end(
    ending: signal.Signals, log: bytes, terminals: list[Terminal]
) -> None:
    with Fed(log, pause=0.1) as port:
        terminal = Terminal("--port", port.name)
        terminals.append(terminal)
        terminal.wait_for("share of the last 100")
        terminal.wait_for("p50/p95/max")
        assert "\x1b[?25l" in terminal.text, "the cursor is hidden while it draws"
        # Twice, as impatient people and `timeout` do.
        terminal.process.send_signal(ending)
        terminal.process.send_signal(ending)
        assert terminal.end() == 0
    assert terminal.text.rindex("\x1b[?25h") > terminal.text.rindex("\x1b[?25l")
    assert terminal.settings == terminal.before
    last = terminal.text[terminal.text.rindex("\x1b[?25h") :]
    assert re.search(r"\d+ inferences in \d+ s at /dev/", last)
    assert "Traceback" not in terminal.text


@pytest.mark.slow
def test_a_pulled_cable_in_the_terminal(log: bytes, terminals: list[Terminal]) -> None:
    with Fed(log, pause=0.1) as port:
        terminal = Terminal("--port", port.name, "--reconnect", "1")
        terminals.append(terminal)
        terminal.wait_for("p50/p95/max")
    terminal.wait_for("the connection is lost")
    assert terminal.end() == 1
    assert "has not come back in 1 attempts" in terminal.text
    assert re.search(r"\d+ inferences in \d+ s at /dev/", terminal.text)
    assert terminal.text.rindex("\x1b[?25h") > terminal.text.rindex("\x1b[?25l")


def run_monitor(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.slow
def test_plain_json_and_raw(log: bytes) -> None:
    with Fed(log) as port:
        plain = run_monitor("--port", port.name, "--count", "12")
        lines = run_monitor("--port", port.name, "--count", "12", "--json")
        raw = run_monitor("--port", port.name, "--count", "12", "--raw")
    assert (plain.returncode, lines.returncode, raw.returncode) == (0, 0, 0)
    assert re.search(r"^(cat|dog|bird|fish) -?\d\.\d\d  [\d.]+ ms  #12$", plain.stdout, re.M)
    assert "@em1" not in plain.stdout and "\x1b" not in plain.stdout
    assert "12 inferences" in plain.stderr
    documents = [json.loads(line) for line in lines.stdout.splitlines()]
    assert documents[0]["event"] == "connected" and documents[-1]["event"] == "summary"
    assert sum(document["event"] == "inference" for document in documents) >= 12
    # What came over the line, as it came.
    frames = [e for e in LogReader().feed(raw.stdout.encode()) if isinstance(e, LogRecord)]
    assert len(frames) >= 12


@pytest.mark.slow
def test_errors_of_the_verb(tmp_path: Path) -> None:
    nowhere = run_monitor("--project", str(tmp_path))
    assert (nowhere.returncode, "what is to be monitored?" in nowhere.stderr) == (1, True)
    both = run_monitor("--port", "/dev/x", "--on", "qemu")
    assert (both.returncode, "exclude each other" in both.stderr) == (2, True)
    absent = run_monitor("--port", "/dev/ttyNONE", "--json")
    assert absent.returncode == 1
    assert json.loads(absent.stdout)["message"] == "there is no such port"
    log = run_monitor("--port", "/dev/ttyNONE", "--log", str(tmp_path / "x.txt"))
    assert "neither .csv nor .jsonl" in log.stderr
