"""What every chip has: a core, a clock, memories."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from edgemcu.board_schema.values import ADDRESS_SPACE, Address, Bytes, Flag, Hertz, Token
from edgemcu.schema import Table

CoreName = Literal[
    "cortex-m3", "cortex-m4f", "cortex-m7", "cortex-m33", "cortex-m55", "xtensa-lx7", "native"
]
Role = Literal["code", "model", "data", "arena", "stack"]
ROLES: tuple[Role, ...] = ("code", "model", "data", "arena", "stack")
CONSTANT_ROLES: tuple[Role, ...] = ("code", "model")


class Core(Table):
    """[core]: the processor, and how a compiler is told about it.

    Attributes:
        name: decides which kernels can be used.
        compiler: the C compiler's command.
        flags: machine flags, given to the compiler, the assembler and the linker alike.
    """

    name: CoreName
    compiler: Token
    flags: tuple[Flag, ...] = ()


class FixedClock(Table):
    """[clock] of a board that needs no set-up."""

    driver: Literal["fixed"]
    hz: Hertz


class Memory(Table):
    """[[memory]]: a region, and what the linker puts there.

    Attributes:
        aliases: where else the same memory is seen, such as by instruction fetches.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")
    origin: Address
    size: Bytes
    holds: tuple[Role, ...] = Field(min_length=1)
    aliases: tuple[Address, ...] = ()

    @model_validator(mode="after")
    def _in_address_space(self) -> Memory:
        if max((self.origin, *self.aliases)) + self.size > ADDRESS_SPACE:
            raise ValueError("origin + size is beyond 32 bits")
        return self

    def __contains__(self, address: int) -> bool:
        """Whether an address lies in this memory, wherever it is seen."""
        return any(0 <= address - start < self.size for start in (self.origin, *self.aliases))
