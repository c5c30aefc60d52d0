"""TOML in, checked settings out: errors name file, key, what was found and what is allowed."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import Any, TypeVar, get_args

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
    key, table = _place(schema, problem["loc"])
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        name = str(problem["loc"][-1])
        known = [] if table is None else _keys(table)
        close = difflib.get_close_matches(name, known, n=1)
        guess = f"; did you mean {close[0]!r}?" if close else ""
        return f"{key}: unknown key{guess} (known here: {', '.join(sorted(known))})"
    if kind == "missing":
        return f"{key}: is required"
    if kind == "union_tag_not_found":
        return f"{key}.{_unquoted(context['discriminator'])}: is required"
    if kind == "union_tag_invalid":
        name, tags = _unquoted(context["discriminator"]), context["expected_tags"]
        return f"{key}.{name}: must be one of {tags} (found {context['tag']!r:.80})"
    message = problem["msg"].removeprefix("Value error, ")
    found = problem["input"]
    shown = "" if isinstance(found, dict) else f" (found {found!r:.80})"
    return f"{key}: {message[0].lower()}{message[1:]}{shown}"


def _unquoted(text: str) -> str:
    return text.strip("'")


def _place(schema: type[BaseModel], location: tuple[Any, ...]) -> tuple[str, Any]:
    """The key at `location` as a person writes it, and the table that its last part is in.

    Where a key such as `driver` chooses between tables, pydantic puts its value into the location.
    """
    tables: list[type[BaseModel]] = [schema]
    parts: list[str] = []
    within: type[BaseModel] | None = None
    for part in location:
        if chosen := [table for table in tables if len(tables) > 1 and _is_tag(table, part)]:
            tables = chosen
            continue
        parts.append(str(part))
        if isinstance(part, int) or len(tables) != 1:
            continue
        within = tables[0]
        field = within.model_fields.get(part)
        tables = _tables_in(field.annotation) if field is not None else []
    return ".".join(parts) or "the file", within


def _is_tag(table: type[BaseModel], part: Any) -> bool:
    """Whether `part` is the value by which `table` is chosen."""
    return any(part in get_args(field.annotation) for field in table.model_fields.values())


def _keys(table: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in table.model_fields.items()]


def _tables_in(annotation: Any) -> list[type[BaseModel]]:
    """The table classes in `X`, `X | None`, `X | Y`, `dict[str, X]` or `list[X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [table for inner in get_args(annotation) for table in _tables_in(inner)]
