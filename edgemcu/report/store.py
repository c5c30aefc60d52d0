"""A whole report in a file, to be read back: samples as base64, everything else as plain JSON."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from edgemcu.artefacts import write_text
from edgemcu.errors import ProjectError
from edgemcu.report.model import RunReport


class _Stored(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    report: RunReport


def store_report(report: RunReport, path: Path) -> None:
    write_text(path, _Stored(report=report).model_dump_json())


def load_report(path: Path) -> RunReport:
    """What `store_report` wrote.

    Raises:
        ProjectError: it is not there, or not that.
    """
    try:
        return _Stored.model_validate_json(path.read_bytes()).report
    except (OSError, ValidationError):
        raise ProjectError(
            "is no report of this version of edgemcu",
            where=str(path),
            hint="run again with --force",
        ) from None
