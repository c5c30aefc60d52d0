"""PlatformIO's file of a board, for those that it has none of."""

from __future__ import annotations

import json
from typing import Any

from edgemcu.board_schema import Board


def board_manifest(board: Board) -> str:
    """The JSON that PlatformIO knows a board by; not for a hosted board."""
    facts = board.platformio.board
    assert facts is not None
    cpu = next((f[6:] for f in board.core.flags if f.startswith("-mcpu=")), board.core.name)
    upload: dict[str, Any] = {
        "maximum_ram_size": board.ram_bytes,
        "maximum_size": board.flash_bytes,
    }
    if facts.upload:
        upload |= {"protocol": facts.upload[0], "protocols": sorted(facts.upload)}
    manifest: dict[str, Any] = {
        "name": board.title,
        "vendor": facts.vendor,
        "url": facts.url,
        "build": {"cpu": cpu, "f_cpu": f"{board.clock_hz}L", "mcu": board.mcu},
        "upload": upload,
    }
    if facts.debug:
        manifest["debug"] = dict(sorted(facts.debug.items()))
    return json.dumps(manifest, indent=2) + "\n"
