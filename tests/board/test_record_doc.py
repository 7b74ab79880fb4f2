"""`docs/record.md` names every field of the schema, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest

from bench.record import schema

PARTS = {
    name: part
    for name, part in vars(schema).items()
    if isinstance(part, type) and issubclass(part, schema.Part) and part is not schema.Part
}


def documented(project_root: Path) -> dict[str, list[str]]:
    """Heading -> fields of the table below it."""
    text = (project_root / "docs" / "record.md").read_text(encoding="utf-8")
    sections = re.split(r"^## (\w+)\n", text, flags=re.MULTILINE)[1:]
    return {
        name: re.findall(r"^\| `(\w+)` \|", body, flags=re.MULTILINE)
        for name, body in zip(sections[::2], sections[1::2], strict=True)
    }


def test_every_part_has_a_section(project_root: Path) -> None:
    assert set(documented(project_root)) == set(PARTS)


@pytest.mark.parametrize("name", sorted(PARTS))
def test_every_field_in_the_schema_s_order(project_root: Path, name: str) -> None:
    """A part that extends another documents its own fields only."""
    inherited = {field for base in PARTS[name].__bases__ for field in base.model_fields}
    own = [field for field in PARTS[name].model_fields if field not in inherited]
    assert documented(project_root)[name] == own


def literals(annotation: object) -> set[str]:
    """String values of a Literal, wherever it sits in a type."""
    if get_origin(annotation) is Literal:
        return {value for value in get_args(annotation) if isinstance(value, str)}
    return {value for inner in get_args(annotation) for value in literals(inner)}


def test_literal_values_are_explained(project_root: Path) -> None:
    text = (project_root / "docs" / "record.md").read_text(encoding="utf-8")
    fields = [field for part in PARTS.values() for field in part.model_fields.values()]
    values = {value for field in fields for value in literals(field.annotation)}
    assert {"done", "oracle", "false_positive"} <= values
    assert {value for value in values if f"`{value}`" not in text} == set()
