# SPDX-License-Identifier: MIT
"""Recipes as TOML or JSON files: reading, and one sentence for each thing that can be wrong in them."""

from __future__ import annotations

import json
import os
import pathlib
from dataclasses import fields
from typing import Any, TypeVar

__all__ = ["ORGANIC", "fill", "read", "students"]

ORGANIC = pathlib.Path(__file__).parent / "recipes" / "organic.toml"
"""Of the students for organic molecules."""
_TABLES = ("library", "labelling", "network", "training")
_T = TypeVar("_T")


def _parse(path: str | os.PathLike[str]) -> dict[str, Any]:
    path = pathlib.Path(path)
    text = path.read_bytes()
    try:
        if path.suffix == ".json":
            tables = json.loads(text)
        elif path.suffix == ".toml":
            try:
                import tomllib
            except ImportError:  # Python 3.10
                import tomli as tomllib
            tables = tomllib.loads(text.decode())
        else:
            raise ValueError(f"'{path}' ends in neither .toml nor .json; recipes are one of these")
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"'{path}' cannot be read: {error}") from None
    if not isinstance(tables, dict):
        raise ValueError(f"'{path}' is a {type(tables).__name__}; a recipe is a table of tables")
    return tables


def students(path: str | os.PathLike[str]) -> list[str]:
    """The names of the students of a file."""
    return list(_parse(path).get("students", {}))


def read(path: str | os.PathLike[str], student: str | None = None) -> dict[str, Any]:
    """The tables of one student, and its ``name``: that of the file unless it names several students."""
    tables = _parse(path)
    several = tables.pop("students", {})
    if student is not None and student not in several:
        raise ValueError(f"'{path}' has no student {student!r}; it has {', '.join(several) or 'only one'}")
    if student is None and len(several) > 1:
        raise ValueError(f"'{path}' has the students {', '.join(several)}; name one of them")
    if several:
        student = student or next(iter(several))
        tables = {**tables, **several[student]}
    tables.setdefault("name", student or pathlib.Path(path).stem)
    for key, table in tables.items():
        if key != "name" and (key not in _TABLES or not isinstance(table, dict)):
            raise ValueError(f"'{path}' holds {key!r}; a recipe has a name and the tables {', '.join(_TABLES)}")
    return tables


def fill(kind: type[_T], table: dict[str, Any], where: str) -> _T:
    """A dataclass from a table; numbers become what the defaults are."""
    defaults = {field.name: getattr(kind(), field.name) for field in fields(kind)}
    values = {}
    for key, value in table.items():
        if key not in defaults:
            raise ValueError(f"{where} has no {key!r}; it has {', '.join(defaults)}")
        default = defaults[key]
        if isinstance(default, float) and type(value) is int:
            value = float(value)
        if isinstance(default, tuple) and isinstance(value, list):
            value = tuple(float(entry) for entry in value if isinstance(entry, (int, float)))
        if type(value) is not type(default):
            raise ValueError(f"{where}.{key} is {value!r}; it is a {type(default).__name__} such as {default!r}")
        values[key] = value
    return kind(**values)
