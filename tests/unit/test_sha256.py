"""The firmware's SHA-256 against Python's, over all lengths around a block and in any pieces."""

from __future__ import annotations

import hashlib
import random
import struct
import subprocess
from pathlib import Path

import pytest

from edgemcu.shipped import shipped
from tests.support.compiled import HOST_FLAGS, WARNINGS, require_compiler

# Reads pieces, each with its length in front, an empty one at the end; prints their digest.
MAIN = """\
#include "sha256.h"

#include <stdio.h>

int main(void)
{
    static uint8_t piece[1 << 16];
    uint32_t bytes;
    while (fread(&bytes, sizeof bytes, 1, stdin) == 1) {
        struct sha256 hash;
        uint8_t digest[SHA256_BYTES];
        sha256_begin(&hash);
        for (; bytes > 0; fread(&bytes, sizeof bytes, 1, stdin)) {
            if (fread(piece, bytes, 1, stdin) != 1) return 1;
            sha256_update(&hash, piece, bytes);
        }
        sha256_end(&hash, digest);
        fwrite(digest, sizeof digest, 1, stdout);
    }
    return 0;
}
"""


@pytest.mark.parametrize("language", ["c", "c++"])
def test_digests(language: str, tmp_path: Path) -> None:
    compiler = require_compiler("gcc" if language == "c" else "g++")
    (tmp_path / "main.c").write_text(MAIN)
    warnings = [flag for flag in WARNINGS if language == "c" or flag != "-std=c11"]
    include = f"-I{shipped('firmware_templates') / 'model'}"
    subprocess.run(
        [
            *(compiler, "-x", language, *warnings, "-Wno-unused-result", *HOST_FLAGS, include),
            *("main.c", "-o", "main"),
        ],
        cwd=tmp_path,
        check=True,
    )
    numbers = random.Random(0)
    messages = [[numbers.randbytes(length)] for length in (*range(1, 200), 1000, 65_535)]
    messages += [[]]
    messages += [
        [numbers.randbytes(numbers.randrange(1, 150)) for _ in range(numbers.randrange(1, 9))]
        for _ in range(200)
    ]
    request = b"".join(
        b"".join(struct.pack("<I", len(piece)) + piece for piece in [*pieces, b""])
        for pieces in messages
    )
    done = subprocess.run([tmp_path / "main"], input=request, capture_output=True, check=True)
    expected = [hashlib.sha256(b"".join(pieces)).digest() for pieces in messages]
    assert [done.stdout[i : i + 32] for i in range(0, len(done.stdout), 32)] == expected
