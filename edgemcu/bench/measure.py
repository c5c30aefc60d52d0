"""One inference of a firmware in QEMU, counted: instructions, modelled cycles, stack, outputs.

The firmware is the one that would be flashed. It boots, and a debugger stops it where the inference
begins; from there to its end QEMU logs what it executes.
"""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgemcu.bench.cycles import MODELLED_CORES, Count, count_sections
from edgemcu.bench.gdbstub import GdbStub
from edgemcu.bench.program import ElfProgram
from edgemcu.bench.trace import TraceReader
from edgemcu.board_schema import Board, QemuEmulator
from edgemcu.device.emulator import QemuMachine
from edgemcu.device.session import DeviceSession, Limits
from edgemcu.errors import EmulatorError

ENTRY = "edgemcu_invoke"

# Of the stack below the entry, painted before the inference; no runtime here comes near it.
STACK_BYTES = 4096
_PAINT = 0xA5

# Instructions take much longer than usual while each is logged.
_LIMITS = Limits(answer_s=600.0, inference_s=600.0)
_INFERENCE_S = 300.0


@dataclass(frozen=True)
class Measurement:
    """What one inference executed.

    Attributes:
        total: from the first instruction of edgemcu_invoke to its return.
        sections: the same in parts, each begins where one of the marks is entered.
        marks: the function that begins each section; "" for what comes before.
        stack_bytes: below the caller's stack pointer.
        outputs: all output tensors' bytes.
    """

    total: Count
    sections: tuple[Count, ...]
    marks: tuple[str, ...]
    stack_bytes: int
    outputs: bytes


def measure_inference(
    elf: Path, program: ElfProgram, board: Board, data: bytes, marks: Sequence[str] = ()
) -> Measurement:
    """Boot a firmware, run one inference on `data`, and count.

    Args:
        elf: the firmware.
        program: what was read from it.
        board: one that QEMU emulates.
        data: all input tensors' bytes.
        marks: names of functions whose entries divide the inference into sections.

    Raises:
        EmulatorError: the board is not emulated in QEMU, or something goes wrong there.
        DeviceError: the firmware does not answer.
        ToolMissingError: QEMU is not installed.
    """
    emulator = board.emulator
    if not isinstance(emulator, QemuEmulator):
        raise EmulatorError("QEMU does not emulate this board", where=board.name)
    if not (hasattr(os, "mkfifo") and hasattr(socket, "AF_UNIX")):
        raise EmulatorError(
            "this system has no named pipes, through which QEMU's log is read",
            hint="count on Linux or macOS, or in WSL",
        )
    addresses = {program.functions[name]: name for name in marks if name in program.functions}
    with tempfile.TemporaryDirectory(prefix="edgemcu-bench-") as name:
        folder = Path(name)
        door = ("-gdb", f"unix:{folder / 'gdb'},server=on,wait=off")
        # Without -icount: nobody asks for the time, and blocks are not cut short.
        machine = QemuMachine(
            machine=emulator.machine,
            serial=emulator.serial,
            arguments=(*emulator.arguments, *door),
        )
        with DeviceSession(machine.boot(elf, folder / "qemu.txt"), _LIMITS) as session:
            session.identify()
            with GdbStub(folder / "gdb") as stub:
                inference = _Inference(session, data)
                stack = _trace(stub, folder, program.function(ENTRY), inference, tuple(addresses))
            outputs = inference.result()
    trace = stack.reader.finish()
    counts = count_sections(trace, program.read, modelled=board.core.name in MODELLED_CORES)
    return Measurement(
        total=_sum(counts),
        sections=tuple(counts),
        marks=tuple(addresses.get(section, "") for section in trace.sections),
        stack_bytes=stack.bytes,
        outputs=outputs,
    )


@dataclass(frozen=True)
class _Traced:
    reader: TraceReader
    bytes: int


class _Inference:
    """An inference that is asked for in a thread of its own: here the machine has to be driven."""

    def __init__(self, session: DeviceSession, data: bytes) -> None:
        self._session = session
        self._data = data
        self._outputs = b""
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def result(self) -> bytes:
        self._thread.join(_INFERENCE_S)
        if self._problem is not None:
            raise self._problem
        return self._outputs

    def _run(self) -> None:
        try:
            self._outputs = self._session.infer(self._data).outputs
        except BaseException as problem:  # to be raised where it is waited for
            self._problem = problem


def _trace(
    stub: GdbStub, folder: Path, entry: int, inference: _Inference, marks: tuple[int, ...]
) -> _Traced:
    """Let the machine run one inference, its code logged."""
    stub.set_breakpoint(entry)
    stub.resume()
    inference.start()
    stub.wait(_INFERENCE_S)
    back, top = stub.link_register() & ~1, stub.stack_pointer()
    stub.write(top - STACK_BYTES, bytes([_PAINT]) * STACK_BYTES)
    stub.clear_breakpoint(entry)
    stub.set_breakpoint(back)
    reader = TraceReader(folder, marks)
    stub.monitor(f"logfile {reader.path}")
    stub.monitor("log in_asm,exec,nochain")
    stub.resume()
    stub.wait(_INFERENCE_S)
    stub.monitor("log none")
    # Another file ends the first, and with it the pipe.
    stub.monitor(f"logfile {folder / 'log'}")
    painted = stub.read(top - STACK_BYTES, STACK_BYTES)
    untouched = len(painted) - len(painted.lstrip(bytes([_PAINT])))
    stub.clear_breakpoint(back)
    stub.detach()
    return _Traced(reader, STACK_BYTES - untouched)


def _sum(counts: Sequence[Count]) -> Count:
    cycles = [count.cycles for count in counts if count.cycles is not None]
    return Count(
        sum(count.instructions for count in counts),
        sum(cycles) if len(cycles) == len(counts) else None,
    )
