"""The templates and C sources below firmware_templates/: copied as they are, or filled in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from edgemcu.firmware import escape
from edgemcu.shipped import shipped

TEMPLATE_SUFFIX = ".jinja"


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Jinja as every template here expects it: an unknown name is an error, nothing is HTML."""
    made = Environment(
        loader=FileSystemLoader(shipped("firmware_templates")),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = (escape.c_string, escape.c_comment, escape.c_bytes)
    for filter_ in (*filters, escape.ini_comment, escape.markdown):
        made.filters[filter_.__name__] = filter_
    return made


def source(name: str) -> str:
    """A file of firmware_templates/ as it is."""
    return (shipped("firmware_templates") / name).read_text(encoding="utf-8")


def render(name: str, context: Mapping[str, Any]) -> str:
    """A file of firmware_templates/, filled in if it is a template."""
    if not name.endswith(TEMPLATE_SUFFIX):
        return source(name)
    return environment().get_template(name).render(context)
