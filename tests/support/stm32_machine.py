"""An STM32 that is there in so far as start-up and clock drivers need it.

The Unicorn engine runs the firmware's own instructions at the chip's own addresses; the memories
are those of the board's file, everything else is not there. What is modelled of the peripherals,
from ST's manuals, is what the drivers must get right: clocks that are ready only once they
are on, registers that may only be written in some states, limits by voltage, wait states and buses,
peripherals that are there only while their clock is on, and a serial line at its baud rate. What
goes against the manual is noted in `violations`.

Not modelled: interrupts, caches, time. WFI goes on at once.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from elftools.elf.elffile import ELFFile

from edgemcu.board_schema import Board, Stm32Clock, Stm32SerialLine

unicorn = pytest.importorskip("unicorn", reason="unicorn is not installed")
MHZ = 1_000_000
# "dsb; wfi", the way the firmware sleeps, and the same with a NOP, which WFI may be.
SLEEP, AWAKE = b"\xbf\xf3\x4f\x8f\x30\xbf", b"\xbf\xf3\x4f\x8f\x00\xbf"

_APB_DIVIDERS = (1, 1, 1, 1, 2, 4, 8, 16)
_AHB_DIVIDERS = (*([1] * 8), 2, 4, 8, 16, 64, 128, 256, 512)


class Registers:
    """A block of 32-bit registers that keep what is written to them."""

    def __init__(self, values: dict[int, int] | None = None) -> None:
        self.values: dict[int, int] = defaultdict(int, values or {})

    def read(self, offset: int) -> int:
        return self.values[offset]

    def write(self, offset: int, value: int) -> None:
        self.values[offset] = value


class Chip:
    """What the families have in common: who has which registers, and whose clock is on.

    Subclasses say where the blocks are, follow the oscillators, and give the clocks that come out.
    """

    rcc_base: int
    power_base: int
    flash_base: int
    gpio_base: int
    gpio_enable: int  # offset in the RCC
    bus_enable: dict[str, int]
    hsi_hz: int
    cpu: str

    def __init__(self, board: Board) -> None:
        assert isinstance(board.clock, Stm32Clock) and isinstance(board.serial, Stm32SerialLine)
        self.board, self.clock, self.serial = board, board.clock, board.serial
        self.violations: list[str] = []
        self.output = bytearray()
        self.rcc = Registers()
        self.power = Registers()
        self.flash = Registers()
        self.gpio: dict[int, Registers] = defaultdict(Registers)
        self.uart = Registers()
        self.timer = Registers()
        self.highest = 0

    # -- for the families

    def sysclk(self) -> int:
        """Hz of the system clock, by what the registers say now."""
        raise NotImplementedError

    def clocks(self) -> dict[str, int]:
        """Hz of "core", "flash", "apb1" and "apb2"."""
        raise NotImplementedError

    def limits(self) -> dict[str, int]:
        """The highest of these at the present voltage, and of "flash" with its wait states."""
        raise NotImplementedError

    # -- what happens

    def violate(self, text: str) -> None:
        if text not in self.violations:
            self.violations.append(text)

    def check(self, after: str) -> None:
        """Compare every clock with its limit."""
        clocks, limits = self.clocks(), self.limits()
        self.highest = max(self.highest, clocks["core"])
        for name, hz in clocks.items():
            if hz > limits[name]:
                self.violate(
                    f"after {after}: {name} runs at {hz / MHZ:g} MHz, "
                    f"its limit is {limits[name] / MHZ:g} MHz"
                )

    def enabled(self, offset: int, bit: int) -> bool:
        return bool(self.rcc.values[offset] >> bit & 1)

    def rcc_write(self, offset: int, value: int) -> None:
        self.rcc.write(offset, value)

    def rcc_read(self, offset: int) -> int:
        return self.rcc.read(offset)

    def power_write(self, offset: int, value: int) -> None:
        self.power.write(offset, value)

    def power_read(self, offset: int) -> int:
        return self.power.read(offset)

    # -- peripherals

    def gpio_access(self, offset: int) -> tuple[Registers, int]:
        port, register = divmod(offset, 0x400)
        if not self.enabled(self.gpio_enable, port):
            self.violate(f"port {chr(65 + port)} is used without its clock")
        return self.gpio[port], register

    def connected(self, port: str, pin: int) -> bool:
        """Whether a pin is in its alternate function, and in the right one."""
        registers = self.gpio[ord(port) - 65].values
        mode = registers[0x00] >> (2 * pin) & 3
        function = registers[0x20 + 4 * (pin // 8)] >> (4 * (pin % 8)) & 15
        return mode == 2 and function == self.serial.alternate_function

    def uart_check(self) -> None:
        if not self.enabled(self.bus_enable[self.serial.bus], self.serial.enable_bit):
            self.violate("the serial line is used without its clock")

    def uart_send(self, byte: int, enabled: bool) -> None:
        """A byte leaves: pins, baud rate and transmitter must be right by now."""
        self.output.append(byte)
        if not enabled:
            self.violate("a byte is sent with the transmitter off")
        for pin in (self.serial.tx, self.serial.rx):
            if not self.connected(pin.port, pin.number):
                self.violate(f"P{pin.port}{pin.number} is not connected to the serial line")
        brr = 0x08 if self.serial.driver == "stm32-usart" else 0x0C
        units = 256 if self.serial.driver == "stm32-lpuart" else 1
        bus = "apb2" if self.serial.bus == "apb2" else "apb1"
        baud = units * self.clocks()[bus] / max(self.uart.values[brr], 1)
        if abs(baud / self.serial.baud - 1) > 0.01:
            self.violate(f"the serial line runs at {baud:.0f} baud, not {self.serial.baud}")

    def uart_read(self, offset: int) -> int:
        self.uart_check()
        status = 0x00 if self.serial.driver == "stm32-usart" else 0x1C
        return 0xC0 if offset == status else self.uart.read(offset)  # all is sent

    def uart_write(self, offset: int, value: int) -> None:
        self.uart_check()
        old = self.serial.driver == "stm32-usart"
        control, data = (0x0C, 0x04) if old else (0x00, 0x28)
        enable = 1 << 13 | 1 << 3 if old else 1 << 0 | 1 << 3
        if offset == data:
            self.uart_send(value & 0xFF, self.uart.values[control] & enable == enable)
        else:
            self.uart.write(offset, value)


class F4(Chip):
    """STM32F4: RM0090, RM0383, RM0390."""

    rcc_base, power_base, flash_base, gpio_base = 0x40023800, 0x40007000, 0x40023C00, 0x40020000
    gpio_enable, bus_enable = 0x30, {"apb1": 0x40, "apb2": 0x44}
    hsi_hz, cpu = 16 * MHZ, "M4"
    # The highest MHz: of the core without over-drive and with it, of APB1 and APB2.
    series: ClassVar[dict[str, tuple[int, int, int, int]]] = {
        "f405": (168, 168, 42, 84),
        "f411": (100, 100, 50, 100),
        "f446": (168, 180, 45, 90),
        "f7": (180, 216, 54, 108),
    }
    flash_steps: ClassVar[dict[str, tuple[int, ...]]] = {"f411": (30, 64, 90, 100)}

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self.rcc.values |= {0x00: 0x00000083, 0x04: 0x24003010}
        self.power.values[0x00] = 0x8000 if self.kind in ("f411",) else 0xC000

    @property
    def kind(self) -> str:
        return str(getattr(self.clock, "series", "f7"))

    def rcc_read(self, offset: int) -> int:
        value = self.rcc.read(offset)
        if offset == 0x00:  # ready as soon as they are on
            value &= ~(1 << 1 | 1 << 17 | 1 << 25)
            value |= (value & 1) << 1 | (value >> 16 & 1) << 17 | (value >> 24 & 1) << 25
        if offset == 0x08:
            value = value & ~0xC | (value & 3) << 2
        return value

    def rcc_write(self, offset: int, value: int) -> None:
        on = self.rcc.values[0x00] >> 24 & 1
        if offset == 0x04 and on and value != self.rcc.values[offset]:
            self.violate("PLLCFGR is written while the PLL is on")
        if offset == 0x00 and on and not value >> 24 & 1 and self.rcc.values[0x08] & 3 == 2:
            self.violate("the PLL is switched off while it is in use")
        self.rcc.write(offset, value)
        self.check(f"a write to RCC+0x{offset:02x}")

    def power_write(self, offset: int, value: int) -> None:
        if not self.enabled(0x40, 28):
            self.violate("PWR is used without its clock")
        if (value ^ self.power.values[0]) >> 14 & 3 and self.rcc.values[0x00] >> 24 & 1:
            self.violate("VOS is changed while the PLL is on")
        if value >> 16 & 1 and self.kind in ("f405", "f411"):
            self.violate("this chip has no over-drive")
        if value >> 17 & 1 and not self.power.values[0] >> 16 & 1:
            self.violate("ODSWEN is set before ODEN")
        self.power.write(offset, value)

    def power_read(self, offset: int) -> int:
        control = self.power.values[0]
        return control & (3 << 16) | 1 << 14 if offset == 4 else self.power.read(offset)

    def sysclk(self) -> int:
        source = self.rcc.values[0x08] & 3
        if source == 0:
            return self.hsi_hz
        config = self.rcc.values[0x04]
        m, n, p = config & 63, config >> 6 & 511, 2 * (config >> 16 & 3) + 2
        if not self.rcc.values[0x00] >> 24 & 1:
            self.violate("the system clock is a PLL that is off")
        vco_in, vco = self.hsi_hz / m, self.hsi_hz * n / m
        if not 0.95 * MHZ <= vco_in <= 2.1 * MHZ or not 100 * MHZ <= vco <= 432 * MHZ:
            self.violate(f"the PLL's oscillator runs at {vco / MHZ:g} MHz from {vco_in / MHZ:g}")
        if config >> 24 & 15 < 2 or vco / (config >> 24 & 15) > 48.1 * MHZ:
            self.violate("the PLL's 48 MHz output is out of range")
        return self.hsi_hz * n // (m * p)

    def clocks(self) -> dict[str, int]:
        core = self.sysclk() // _AHB_DIVIDERS[self.rcc.values[0x08] >> 4 & 15]
        apb1 = core // _APB_DIVIDERS[self.rcc.values[0x08] >> 10 & 7]
        apb2 = core // _APB_DIVIDERS[self.rcc.values[0x08] >> 13 & 7]
        return {"core": core, "flash": core, "apb1": apb1, "apb2": apb2}

    def limits(self) -> dict[str, int]:
        plain, overdriven, apb1, apb2 = self.series[self.kind]
        vos = self.power.values[0] >> 14 & (1 if self.kind == "f405" else 3)
        if vos != (1 if self.kind == "f405" else 3):
            plain = min(plain, 144 if self.kind != "f411" else 84)
        core = overdriven if self.power.values[0] >> 16 & 3 == 3 else plain
        waits = self.flash.values[0] & 15
        steps = self.flash_steps.get(self.kind, tuple(range(30, 30 * 17, 30)))
        flash = steps[min(waits, len(steps) - 1)]
        found = {"core": core, "flash": flash, "apb1": apb1, "apb2": apb2}
        return {name: mhz * MHZ for name, mhz in found.items()}


class F7(F4):
    """STM32F7: RM0385."""

    cpu = "M7"


class L4(Chip):
    """STM32L4 and L4+: RM0351, RM0432."""

    rcc_base, power_base, flash_base, gpio_base = 0x40021000, 0x40007000, 0x40022000, 0x48000000
    gpio_enable, bus_enable = 0x4C, {"apb1": 0x58, "apb1-2": 0x5C, "apb2": 0x60}
    hsi_hz, cpu = 16 * MHZ, "M4"

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self.plus = getattr(self.clock, "series", "") == "l4plus"
        self.rcc.values |= {0x00: 0x00000063, 0x0C: 0x00001000}
        self.power.values |= {0x00: 0x0200, 0x80: 0x0100}
        self.halved = False

    def rcc_read(self, offset: int) -> int:
        value = self.rcc.read(offset)
        if offset == 0x00:
            value &= ~(1 << 10 | 1 << 17 | 1 << 25)
            value |= (value >> 8 & 1) << 10 | (value >> 16 & 1) << 17 | (value >> 24 & 1) << 25
        if offset == 0x08:
            value = value & ~0xC | (value & 3) << 2
        return value

    def rcc_write(self, offset: int, value: int) -> None:
        on = self.rcc.values[0x00] >> 24 & 1
        if offset == 0x0C and on and value != self.rcc.values[offset]:
            self.violate("PLLCFGR is written while the PLL is on")
        before = self.clocks()["core"]
        self.rcc.write(offset, value)
        now = self.clocks()["core"]
        if now > 80 * MHZ and before < now / 2:
            self.violate("the clock goes beyond 80 MHz in one step")
        self.check(f"a write to RCC+0x{offset:02x}")

    def power_write(self, offset: int, value: int) -> None:
        if not self.enabled(0x58, 28):
            self.violate("PWR is used without its clock")
        if offset == 0x80 and not self.plus:
            self.violate("this chip has no boost mode")
        self.power.write(offset, value)

    def gpio_access(self, offset: int) -> tuple[Registers, int]:
        if offset // 0x400 == 6 and not self.power.values[0x04] >> 9 & 1:
            self.violate("port G is used without its supply")
        return super().gpio_access(offset)

    def sysclk(self) -> int:
        source, config = self.rcc.values[0x08] & 3, self.rcc.values[0x0C]
        if source < 2:
            return 4 * MHZ if source == 0 else self.hsi_hz
        m, n = (config >> 4 & (15 if self.plus else 7)) + 1, config >> 8 & 127
        r = 2 * (config >> 25 & 3) + 2
        if not self.rcc.values[0x00] >> 24 & 1 or not config >> 24 & 1 or config & 3 != 2:
            self.violate("the system clock is a PLL that gives none")
        vco_in, vco = self.hsi_hz / m, self.hsi_hz * n / m
        if not 2.66 * MHZ <= vco_in <= 16 * MHZ or not 64 * MHZ <= vco <= 344 * MHZ:
            self.violate(f"the PLL's oscillator runs at {vco / MHZ:g} MHz from {vco_in / MHZ:g}")
        return self.hsi_hz * n // (m * r)

    def clocks(self) -> dict[str, int]:
        config = self.rcc.values[0x08]
        core = self.sysclk() // _AHB_DIVIDERS[config >> 4 & 15]
        apb1 = core // _APB_DIVIDERS[config >> 8 & 7]
        apb2 = core // _APB_DIVIDERS[config >> 11 & 7]
        return {"core": core, "flash": core, "apb1": apb1, "apb2": apb2}

    def limits(self) -> dict[str, int]:
        range_1 = self.power.values[0x00] >> 9 & 3 == 1
        boost = self.plus and not self.power.values[0x80] >> 8 & 1
        core = (120 if boost else 80) if range_1 else 26
        flash = ((self.flash.values[0] & 15) + 1) * (20 if self.plus else 16)
        found = {"core": core, "flash": flash, "apb1": core, "apb2": core}
        return {name: mhz * MHZ for name, mhz in found.items()}


class H7(Chip):
    """STM32H743: RM0433."""

    rcc_base, power_base, flash_base, gpio_base = 0x58024400, 0x58024800, 0x52002000, 0x58020000
    gpio_enable, bus_enable = 0xE0, {"apb1": 0xE8, "apb2": 0xF0}
    hsi_hz, cpu = 64 * MHZ, "M7"

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self.rcc.values |= {0x00: 0x25, 0x28: 0x02020200, 0x2C: 0x01FF0000, 0x30: 0x01010280}
        self.power.values |= {0x0C: 0x06, 0x18: 0x4000}
        self.flash.values[0] = 0x37
        self.supplied = False

    def rcc_read(self, offset: int) -> int:
        value = self.rcc.read(offset)
        if offset == 0x00:
            value &= ~(1 << 2 | 1 << 17 | 1 << 25)
            value |= (value & 1) << 2 | (value >> 16 & 1) << 17 | (value >> 24 & 1) << 25
        if offset == 0x10:
            value = value & ~0x38 | (value & 7) << 3
        return value

    def rcc_write(self, offset: int, value: int) -> None:
        on = self.rcc.values[0x00] >> 24 & 1
        if offset in (0x28, 0x2C, 0x30) and on and value != self.rcc.values[offset]:
            self.violate(f"RCC+0x{offset:02x} is written while the PLL is on")
        self.rcc.write(offset, value)
        self.check(f"a write to RCC+0x{offset:02x}")

    def power_write(self, offset: int, value: int) -> None:
        if offset == 0x0C:
            self.supplied = True
        if offset == 0x18 and not self.supplied:
            self.violate("the voltage is changed before the supply has been chosen")
        self.power.write(offset, value)

    def power_read(self, offset: int) -> int:
        if offset == 0x04:
            return 1 << 13 if self.supplied and self.power.values[0x0C] & 7 == 2 else 0
        return self.power.read(offset) | (1 << 13 if offset == 0x18 else 0)

    def sysclk(self) -> int:
        if self.rcc.values[0x10] & 7 == 0:
            return self.hsi_hz
        select, config, factors = (self.rcc.values[offset] for offset in (0x28, 0x2C, 0x30))
        m, n, p = select >> 4 & 63, (factors & 511) + 1, (factors >> 9 & 127) + 1
        if not self.rcc.values[0x00] >> 24 & 1 or not config >> 16 & 1 or select & 3:
            self.violate("the system clock is a PLL that gives none")
        vco_in, vco = self.hsi_hz / m, self.hsi_hz * n / m
        low, high = ((1, 2), (2, 4), (4, 8), (8, 16))[config >> 2 & 3]
        if not low * MHZ <= vco_in <= high * MHZ or config & 2:
            self.violate(f"the PLL's input of {vco_in / MHZ:g} MHz is not in the range it is told")
        if not 192 * MHZ <= vco <= 836 * MHZ:
            self.violate(f"the PLL's oscillator runs at {vco / MHZ:g} MHz")
        return self.hsi_hz * n // (m * p)

    def clocks(self) -> dict[str, int]:
        d1, d2 = self.rcc.values[0x18], self.rcc.values[0x1C]
        core = self.sysclk() // _AHB_DIVIDERS[d1 >> 8 & 15]
        axi = core // _AHB_DIVIDERS[d1 & 15]
        apb1, apb2 = (axi // _APB_DIVIDERS[d2 >> shift & 7] for shift in (4, 8))
        return {"core": core, "flash": axi, "apb1": apb1, "apb2": apb2}

    def limits(self) -> dict[str, int]:
        scale_1 = self.power.values[0x18] >> 14 & 3 == 3
        waits, delay = self.flash.values[0] & 15, self.flash.values[0] >> 4 & 3
        axi, steps = (200, (70, 140, 210, 225)) if scale_1 else (100, (45, 90, 135, 180, 225))
        flash = min(steps[min(waits, len(steps) - 1)], (70, 185, 225, 225)[delay])
        core = 400 if scale_1 else 200
        # 64 MHz: what the chip itself comes out of reset with.
        apb = max(axi // 2, 64)
        found = {"core": core, "flash": min(axi, flash), "apb1": apb, "apb2": apb}
        return {name: mhz * MHZ for name, mhz in found.items()}


FAMILIES = {"stm32f4-pll": F4, "stm32f7-pll": F7, "stm32l4-pll": L4, "stm32h7-pll": H7}


class Machine:
    """A firmware in its chip, from reset on.

    Attributes:
        chip: with what the firmware has sent, and what it did wrong.
    """

    def __init__(self, board: Board, elf: Path) -> None:
        assert board.clock is not None
        self.chip = FAMILIES[board.clock.driver](board)
        cpu = getattr(unicorn.arm_const, f"UC_CPU_ARM_CORTEX_{self.chip.cpu}")
        self._uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self._uc.ctl_set_cpu_model(cpu)
        for region in board.memory:
            self._uc.mem_map(region.origin, -(-region.size // 4096) * 4096)
        self._map_peripherals(board)
        self._load(elf)

    def run(self, done: Callable[[bytes], bool], instructions: int = 400_000_000) -> bytes:
        """Run until `done` says so of what was sent; all that was sent."""
        uc, step = self._uc, 100_000
        stack, start = struct.unpack("<2I", uc.mem_read(self._vectors, 8))
        uc.reg_write(unicorn.arm_const.UC_ARM_REG_SP, stack)
        at = start
        for _ in range(instructions // step):
            uc.emu_start(at | 1, 0xFFFFFFFF, count=step)
            at = uc.reg_read(unicorn.arm_const.UC_ARM_REG_PC)
            if done(bytes(self.chip.output)):
                break
        return bytes(self.chip.output)

    def _load(self, elf: Path) -> None:
        with elf.open("rb") as stream:
            for segment in ELFFile(stream).iter_segments("PT_LOAD"):
                if segment.header.p_filesz:
                    data = segment.data().replace(SLEEP, AWAKE)
                    self._uc.mem_write(segment.header.p_paddr, data)
            stream.seek(0)
            self._vectors = int(ELFFile(stream).get_section_by_name(".text").header.sh_addr)

    def _map_peripherals(self, board: Board) -> None:
        chip = self.chip
        assert isinstance(board.serial, Stm32SerialLine)
        counter: Any = board.counter
        blocks: list[tuple[int, int, Any, Any]] = [
            (chip.rcc_base, 0x400, chip.rcc_read, chip.rcc_write),
            (chip.power_base, 0x400, chip.power_read, chip.power_write),
            (chip.flash_base, 0x400, chip.flash.read, self._flash_write),
            (chip.gpio_base, 0x2C00, self._gpio_read, self._gpio_write),
            (board.serial.base, 0x400, chip.uart_read, chip.uart_write),
            (counter.base, 0x400, self._timer_read, chip.timer.write),
            (0xE000E000, 0x1000, Registers({0xD80: 0x700FE01A}).read, lambda *_: None),
            (0x5C001000, 0x400, Registers({0: 0x10036450}).read, lambda *_: None),
            (0x51008000, 0x1000, Registers().read, lambda *_: None),
        ]
        pages: dict[int, list[tuple[int, int, Any, Any]]] = defaultdict(list)
        for block in blocks:
            first, last = block[0] & ~0xFFF, (block[0] + block[1] - 1) & ~0xFFF
            for page in range(first, last + 1, 0x1000):
                pages[page].append(block)
        for page, inside in sorted(pages.items()):
            self._uc.mmio_map(page, 0x1000, self._reader(page, inside), None,
                              self._writer(page, inside), None)  # fmt: skip

    def _reader(self, page: int, blocks: list[tuple[int, int, Any, Any]]) -> Any:
        def read(uc: Any, offset: int, size: int, data: Any) -> int:
            for base, length, reader, _ in blocks:
                if base <= page + offset < base + length:
                    return int(reader(page + offset - base))
            self.chip.violate(f"nothing is at 0x{page + offset:08x}")
            return 0

        return read

    def _writer(self, page: int, blocks: list[tuple[int, int, Any, Any]]) -> Any:
        def write(uc: Any, offset: int, size: int, value: int, data: Any) -> None:
            for base, length, _, writer in blocks:
                if base <= page + offset < base + length:
                    writer(page + offset - base, value & 0xFFFFFFFF)
                    return
            self.chip.violate(f"nothing is at 0x{page + offset:08x}")

        return write

    def _flash_write(self, offset: int, value: int) -> None:
        self.chip.flash.write(offset, value)
        self.chip.check("a write to the flash's registers")

    def _gpio_read(self, offset: int) -> int:
        registers, register = self.chip.gpio_access(offset)
        return registers.read(register)

    def _gpio_write(self, offset: int, value: int) -> None:
        registers, register = self.chip.gpio_access(offset)
        registers.write(register, value)

    def _timer_read(self, offset: int) -> int:
        counter = self.chip.board.counter
        if not self.chip.enabled(self.chip.bus_enable["apb1"], getattr(counter, "enable_bit", 0)):
            self.chip.violate("the timer is used without its clock")
        if offset == 0x24:
            self.chip.timer.values[offset] += 1
        return self.chip.timer.read(offset)
