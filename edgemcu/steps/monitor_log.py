"""The file that monitoring writes: one row per inference, each written at once and as a whole."""

from __future__ import annotations

import csv
import io
import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgemcu.device.log import LogRecord
from edgemcu.errors import InputsError

COLUMNS = (
    *("time", "number", "label", "score", "milliseconds", "instructions", "ticks"),
    *("model", "outputs"),
)


class RecordLog:
    """Appends rows to a .csv or .jsonl file, which may have rows of earlier runs.

    Args:
        path: its suffix says which.
    """

    def __init__(self, path: Path) -> None:
        """Raises: InputsError: another suffix, other columns, or it cannot be written."""
        self.path = path
        self._json = path.suffix.lower() in (".jsonl", ".ndjson")
        if not self._json and path.suffix.lower() != ".csv":
            raise InputsError(
                "is neither .csv nor .jsonl", where=f"--log {path}", hint="name it log.csv"
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            known = path.read_bytes() if path.exists() else b""
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise InputsError(
                f"cannot be written: {error.strerror}", where=f"--log {path}"
            ) from None
        header = _csv_row(list(COLUMNS))
        try:
            if known and not self._json and not known.startswith(header):
                raise InputsError(
                    "holds other columns than monitor writes",
                    where=f"--log {path}",
                    hint="choose another file",
                )
            # A row that was cut off when the power went away must not take the next one with it.
            start = b"" if not known or known.endswith(b"\n") else b"\n"
            self._write(start + (b"" if known or self._json else header))
        except BaseException:
            self.close()
            raise

    def record(self, record: LogRecord, instructions: int | None) -> None:
        """Append one inference.

        Raises:
            InputsError: the disk is full, or the file is gone.
        """
        row = record_facts(record, instructions)
        if self._json:
            self._write(json.dumps(row).encode() + b"\n")
            return
        self._write(_csv_row(["" if row[name] is None else row[name] for name in COLUMNS]))

    def _write(self, data: bytes) -> None:
        # One write of an appending file: other writers' rows never end up in the middle of it.
        try:
            if data and os.write(self._file, data) != len(data):
                raise OSError("only a part was written")
        except OSError as error:
            raise InputsError(f"cannot be written: {error}", where=f"--log {self.path}") from None

    def close(self) -> None:
        os.close(self._file)


def record_facts(record: LogRecord, instructions: int | None) -> dict[str, Any]:
    """An inference as a flat table row; the time is when it arrived here, UTC."""
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    return {
        "time": now.replace("+00:00", "Z"),
        "number": record.number,
        "label": record.label,
        "score": record.score,
        "milliseconds": None if instructions is not None else record.milliseconds,
        "instructions": instructions,
        "ticks": record.ticks,
        "model": record.model,
        "outputs": record.outputs.hex(),
    }


def _csv_row(values: list[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue().encode()
