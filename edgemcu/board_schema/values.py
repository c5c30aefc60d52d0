"""Values that several tables of a board's file have: sizes, addresses, frequencies, texts."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_UNITS = {"B": 1, "KiB": 1024, "MiB": 1024 * 1024}
_SIZE = re.compile(r"(\d{1,9}) ?(B|KiB|MiB)")
ADDRESS_SPACE = 1 << 32


def _size(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value)
    if match is None:
        raise ValueError('sizes are whole numbers of bytes, or text such as "128 KiB" or "1 MiB"')
    return int(match[1]) * _UNITS[match[2]]


Bytes = Annotated[int, BeforeValidator(_size), Field(strict=True, gt=0, lt=ADDRESS_SPACE)]
Address = Annotated[int, Field(strict=True, ge=0, lt=ADDRESS_SPACE)]
Hertz = Annotated[int, Field(strict=True, gt=0, lt=10**10)]
Interrupt = Annotated[int, Field(strict=True, ge=0, lt=480)]
Bit = Annotated[int, Field(strict=True, ge=0, lt=32)]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\x20-\x7e]+$")]
Flag = Annotated[str, Field(max_length=200, pattern=r"^-[A-Za-z0-9][A-Za-z0-9_=.,+:/-]*$")]
Token = Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9_=.,@^~*<>:/+-]*$")]
