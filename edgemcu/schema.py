"""TOML in, checked settings out: errors name file, key, what was found and what is allowed."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from edgemcu.errors import EdgemcuError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_BYTES = 1 << 20


class Table(BaseModel):
    """Base of every TOML table: immutable, and a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


T = TypeVar("T", bound=BaseModel)


def read_toml(path: Path, error: type[EdgemcuError]) -> dict[str, Any]:
    """Parse a TOML file; `error` is raised for one that is missing, too large or malformed."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise error(f"larger than {MAX_BYTES} bytes", where=str(path))
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise error(f"cannot be read: {problem.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise error("is not UTF-8 text", where=str(path)) from None
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise error(f"is not valid TOML: {problem}", where=str(path)) from None


def check(schema: type[T], data: Any, path: Path, error: type[EdgemcuError]) -> T:
    """Validate `data` against `schema`, turning the first problems into one readable error."""
    try:
        return schema.model_validate(data)
    except ValidationError as problems:
        lines = [_explain(schema, problem) for problem in problems.errors()[:8]]
        raise error("\n".join(lines), where=str(path)) from None


def _explain(schema: type[BaseModel], problem: Any) -> str:
    location = problem["loc"]
    key = ".".join(str(part) for part in location) or "the file"
    if problem["type"] == "extra_forbidden":
        known = _keys_at(schema, location[:-1])
        close = difflib.get_close_matches(str(location[-1]), known, n=1)
        guess = f"; did you mean {close[0]!r}?" if close else ""
        return f"{key}: unknown key{guess} (known here: {', '.join(sorted(known))})"
    if problem["type"] == "missing":
        return f"{key}: is required"
    message = problem["msg"].removeprefix("Value error, ")
    found = problem["input"]
    shown = "" if isinstance(found, dict) else f" (found {found!r:.80})"
    return f"{key}: {message[0].lower()}{message[1:]}{shown}"


def _keys_at(schema: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    current: Any = schema
    for part in location:
        if not (isinstance(current, type) and issubclass(current, BaseModel)):
            return []
        field = current.model_fields.get(str(part))
        if field is None:
            continue
        current = _table_in(field.annotation)
    if isinstance(current, type) and issubclass(current, BaseModel):
        return [field.alias or name for name, field in current.model_fields.items()]
    return []


def _table_in(annotation: Any) -> Any:
    """The table class in `X`, `X | None`, `dict[str, X]` or `list[X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        table = _table_in(inner)
        if table is not None:
            return table
    return None
