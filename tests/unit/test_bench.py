"""What `edgemcu bench` counts with: the log's reader, the table of cycles, the debugger's door."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from edgemcu.bench.cycles import block_cycles, count_sections, instruction_starts
from edgemcu.bench.gdbstub import GdbStub
from edgemcu.bench.plot import plot_bars
from edgemcu.bench.trace import TraceReader
from edgemcu.errors import EdgemcuError, EmulatorError, ModelError

ASSEMBLER = "arm-none-eabi-as"

# An instruction or a few, and cycles: Cortex-M4 TRM, table 3-1; a load hides behind an access.
TIMINGS = (
    ("adds r0, r1, r2", 1),
    ("add.w r8, r9, r10, lsl #3", 1),
    ("mul r0, r1, r2", 1),
    ("smlad r0, r1, r2, r3", 1),
    ("smlal r0, r1, r2, r3", 1),
    ("sxtb16 r0, r1, ror #8", 1),
    ("udiv r0, r1, r2", 6),
    ("sdiv r0, r1, r2", 6),
    ("ldr r0, [r1]", 2),
    ("ldrb r0, [r1, r2]", 2),
    ("ldrsb.w r0, [r1], #1", 2),
    ("ldr r0, [pc, #4]", 2),
    ("ldr r0, [sp, #8]", 2),
    ("ldr r0, [r1]\nldr r2, [r3]", 3),
    ("str r0, [r1]\nldr r2, [r3]", 2),
    ("ldr r0, [r1]\nadds r0, r0, #1\nldr r2, [r3]", 5),
    ("strb r0, [r1, r2]", 1),
    ("str.w r0, [r1], #4", 1),
    ("ldrd r0, r1, [r2]", 3),
    ("strd r0, r1, [r2]", 3),
    ("ldmia r0!, {r1, r2, r3, r4}", 5),
    ("ldmia.w r8!, {r1, r2, r9}", 4),
    ("stmia r0!, {r1, r2}", 3),
    ("push {r4, r5, lr}", 4),
    ("push.w {r4, r8, r9, lr}", 5),
    ("pop {r4, r5}", 3),
    ("vldr s0, [r1]", 2),
    ("vldr d0, [r1]", 3),
    ("vstr s0, [r1]", 1),
    ("vldmia r0!, {s0-s3}", 5),
    ("vadd.f32 s0, s1, s2", 1),
    ("vmul.f32 s0, s1, s2", 1),
    ("vmla.f32 s0, s1, s2", 3),
    ("vdiv.f32 s0, s1, s2", 14),
    ("vsqrt.f32 s0, s1", 14),
)


def assembled(text: str, folder: Path) -> bytes:
    if shutil.which(ASSEMBLER) is None:
        pytest.skip(f"{ASSEMBLER} is not installed")
    source = ".syntax unified\n.thumb\n" + text + "\n"
    options = ["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mthumb"]
    subprocess.run([ASSEMBLER, *options, "-o", "a.o"], input=source, text=True, cwd=folder, check=1)
    copy = ["arm-none-eabi-objcopy", "-O", "binary", "-j", ".text", "a.o", "a.bin"]
    subprocess.run(copy, cwd=folder, check=True)
    return (folder / "a.bin").read_bytes()


def addresses_of(code: bytes) -> tuple[int, ...]:
    result, at = [], 0
    while at < len(code):
        result.append(at)
        at += 4 if code[at + 1] >> 3 in (0b11101, 0b11110, 0b11111) else 2
    return tuple(result)


def test_cycles_of_instructions(tmp_path: Path) -> None:
    wrong = []
    for text, cycles in TIMINGS:
        code = assembled(text, tmp_path)
        found, end = block_cycles(addresses_of(code), lambda at, n, c=code: c[at : at + n])
        assert end == len(code)
        if found != cycles:
            wrong.append((text, found, cycles))
    assert not wrong


def test_instructions_that_the_log_takes_for_two() -> None:
    """DLSTP.8 LR, R1 and VLDRB.8 Q0, [R0], #16 between two NOPs."""
    code = bytes.fromhex("00bf01f001e0b0ec101e00bf")
    starts = instruction_starts((0, 2, 4, 6, 8, 10), lambda at, n: code[at : at + n])
    assert starts == (0, 2, 6, 10)


LOG = """\
----------------
IN: main
0x00000000:  2003       movs r0, #3
0x00000002:  4620       mov r0, r4

Trace 0: 0x7f00 [00000000/00000000/00000110/ff000200] main
----------------
IN: loop
0x00000004:  3801       subs r0, #1
0x00000006:  d1fd       bne #4

Trace 0: 0x7f10 [00000000/00000004/00000110/ff000200] loop
Trace 0: 0x7f10 [00000000/00000004/00000110/ff000200] loop
Trace 0: 0x7f10 [00000000/00000004/00000110/ff000200] loop
Stopped execution of TB chain before 0x7f10 [00000004] loop
Trace 0: 0x7f10 [00000000/00000004/00000110/ff000200] loop
----------------
IN: after
0x00000008:  4770       bx lr

Trace 0: 0x7f20 [00000000/00000008/00000110/ff000200] after
"""


@pytest.mark.parametrize("pieces", [1, 7, 200])
def test_the_log_is_read_as_it_comes(pieces: int, tmp_path: Path) -> None:
    """Three turns of a loop, one of which was announced twice; 5 instructions besides."""
    reader = TraceReader(tmp_path, marks=[4])
    with reader.path.open("w") as stream:
        for start in range(0, len(LOG), max(len(LOG) // pieces, 1)):
            stream.write(LOG[start : start + max(len(LOG) // pieces, 1)])
            stream.flush()
    trace = reader.finish()
    assert {first: len(block) for first, block in trace.blocks.items()} == {0: 2, 4: 2, 8: 1}
    assert sum(trace.moves.values()) == 5
    counts = count_sections(trace, lambda at, size: bytes(size), modelled=True)
    # Each entry of the loop begins a section; the last includes what comes after.
    assert [count.instructions for count in counts] == [2, 2, 2, 3]
    # Zeros are moves of one cycle; all turns but the last jump back, and so does the return.
    assert sum(count.cycles or 0 for count in counts) == 9 + 2 * 3


def test_an_emulator_that_logs_nothing(tmp_path: Path) -> None:
    reader = TraceReader(tmp_path)
    reader.path.open("w").close()
    with pytest.raises(EmulatorError, match="does not log"):
        reader.finish()


def serve(path: Path, answers: dict[bytes, bytes]) -> threading.Thread:
    """A debugger's door that answers by heart; it reports a stop whenever somebody attaches."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def run() -> None:
        connection, _ = server.accept()
        connection.sendall(b"$T02thread:01;#00")
        data = b""
        while piece := connection.recv(1 << 12):
            data += piece
            while b"#" in data and len(data) >= data.index(b"#") + 3:
                end = data.index(b"#")
                packet = data[data.index(b"$") + 1 : end]
                data = data[end + 3 :]
                answer = answers.get(packet.split(b",")[0], b"")
                for part in answer.split(b"|"):
                    checksum = sum(part) % 256
                    connection.sendall(b"+$" + part + b"#%02x" % checksum)
        connection.close()
        server.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_the_debuggers_door(tmp_path: Path) -> None:
    registers = b"".join(b"%02x000000" % number for number in range(17))
    thread = serve(
        tmp_path / "gdb",
        {
            **{b"qSupported": b"PacketSize=1000", b"?": b"T05thread:01;", b"Z0": b"OK"},
            **{b"z0": b"E01", b"c": b"T05thread:01;", b"g": registers, b"m10": b"a5a5"},
            b"qRcmd": b"O" + b"hello\n".hex().encode() + b"|OK",
        },
    )
    with GdbStub(tmp_path / "gdb", timeout_s=5) as stub:
        stub.set_breakpoint(0x100)
        stub.resume()
        assert stub.wait(5) == 15
        assert (stub.stack_pointer(), stub.link_register()) == (13, 14)
        assert stub.monitor("info version") == "hello\n"
        assert stub.read(0x10, 2) == b"\xa5\xa5"
        with pytest.raises(EmulatorError, match="answers"):
            stub.clear_breakpoint(0x100)
    thread.join(5)


def test_an_emulator_that_ends_while_it_is_asked(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "gdb"))
        server.listen()

        def answer_twice() -> None:
            connection, _ = server.accept()
            connection.sendall(b"+$#00+$#00")
            time.sleep(0.2)
            connection.close()

        thread = threading.Thread(target=answer_twice)
        thread.start()
        with GdbStub(tmp_path / "gdb", timeout_s=5) as stub:
            thread.join()
            for _ in range(3):
                with pytest.raises(EmulatorError, match="the emulator has ended"):
                    stub.register(0)


def test_nobody_at_the_door(tmp_path: Path) -> None:
    with pytest.raises(EmulatorError, match="no debugger's door"):
        GdbStub(tmp_path / "gdb", timeout_s=0.1)


ROW = {"model": "m", "board": "b", "runtime": "compiled", "kernels": "portable"} | {
    "instructions": 10,
    "cycles": 12,
    "instructions_per_mac": 1.0,
    "cycles_per_mac": 1.2,
}


def test_plots(tmp_path: Path) -> None:
    for name in ("a.svg", "a.png"):
        plot_bars([ROW, {**ROW, "kernels": "fast"}], tmp_path / name)
        first = (tmp_path / name).read_bytes()
        plot_bars([ROW, {**ROW, "kernels": "fast"}], tmp_path / name)
        assert (tmp_path / name).read_bytes() == first
    with pytest.raises(ModelError, match=r"\.svg or a \.png"):
        plot_bars([ROW], tmp_path / "a.pdf")
    with pytest.raises(ModelError, match="nothing was measured"):
        plot_bars([{**ROW, "instructions": None}], tmp_path / "b.svg")


def test_results_are_json() -> None:
    from edgemcu.steps.bench import BenchResult, BenchRow

    row = BenchRow("m", "b", "compiled", "portable", macs=10, reason="no compiler")
    result = BenchResult((row,), {"emulator": "none"})
    assert json.loads(json.dumps(result.to_json()))["rows"][0]["reason"] == "no compiler"
    assert result.exit_code == 1


def test_what_cannot_be_measured_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    from edgemcu.steps.bench import bench_models

    with pytest.raises(EdgemcuError, match="no such model"):
        bench_models(["vgg16"], out=tmp_path)
    with pytest.raises(EdgemcuError, match="no runtime 'onnx'"):
        bench_models(["ds-cnn"], runtimes=["onnx"], out=tmp_path)
    with pytest.raises(EdgemcuError, match="QEMU does not emulate"):
        bench_models(["ds-cnn"], ["esp32s3"], out=tmp_path)
    assert not list(tmp_path.rglob("*.c"))
