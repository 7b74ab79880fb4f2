"""What differs between two records, before anyone argues about methods.

Outcomes (scores, curves, times) are no part of it: only what went in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from bench.board.shortening import unit_of
from bench.board.text import plain, value_text
from bench.record.schema import NO_BACKBONE, Record

SECTIONS = (
    *("metric protocol", "method", "options", "labels", "budget", "backbone"),
    *("data", "split", "versions", "machine"),
)
ABSENT = "(absent)"


@dataclass(frozen=True)
class Different:
    section: str
    field: str
    first: str
    second: str


def different(first: Record, second: Record) -> list[Different]:
    """In the order of SECTIONS; equal fields are left out."""
    sides = [_sections(record) for record in (first, second)]
    return [
        Different(section, name, *_shown(a, b))
        for section in SECTIONS
        for name in dict.fromkeys([*sides[0][section], *sides[1][section]])
        for a, b in [[side[section].get(name, _NOTHING) for side in sides]]
        if a != b
    ]


def same_data(first: Record, second: Record) -> list[str]:
    """What keeps two records from being paired by patient; empty where nothing does."""
    found = {
        "protocol": (first.protocol, second.protocol),
        "dataset copy": (first.data.fingerprint, second.data.fingerprint),
        "classes": (first.data.classes, second.data.classes),
        "test cases": (sorted(first.data.test), sorted(second.data.test)),
    }
    return [name for name, (a, b) in found.items() if a != b]


def apart(first: Record, second: Record) -> list[str]:
    """Why the two never stand in one table; empty where they do."""
    one, two = (unit_of(record, {}).table for record in (first, second))
    guest = NO_BACKBONE in (one.backbone, two.backbone)  # it joins the tables of all backbones
    return [
        field.name.replace("_sha256", "'s hash").replace("_", " ")
        for field in fields(one)
        if getattr(one, field.name) != getattr(two, field.name)
        and not (guest and field.name in ("backbone", "weights"))
    ]


def difference_lines(first: Record, second: Record) -> Iterator[str]:
    """A section each, the equal ones in one line, and whether one table may hold both."""
    found = different(first, second)
    yield f"first   {_title(first)}"
    yield f"second  {_title(second)}"
    changed = {one.section for one in found}
    same = [section for section in SECTIONS if section not in changed]
    if same:
        yield f"the same: {', '.join(same)}"
    for section in SECTIONS:
        lines = [one for one in found if one.section == section]
        if lines:
            yield section
        for one in lines:
            yield f"  {plain(one.field)}: {plain(one.first)} -> {plain(one.second)}"
    keeps = apart(first, second)
    if keeps:
        yield f"never in one table: {', '.join(keeps)} differ"
    elif "machine" in changed:
        yield "in one table; timings apart, they are of two machines"
    else:
        yield "in one table"


def _title(record: Record) -> str:
    request = record.request
    return plain(
        f"{record.key}: {request.method} on {record.data.name}, {request.shots} shot, "
        f"draw {request.draw}, seed {request.seed}, {request.budget.name}, "
        f"backbone {request.backbone}, {record.status}"
    )


def _sections(record: Record) -> dict[str, dict[str, Any]]:
    request, method, data = record.request, record.method, record.data
    before = record.pretraining
    packages = dict(record.versions)
    return {
        "metric protocol": {
            "protocol": record.protocol,
            "schema_version": record.schema_version,
        },
        "method": {
            "method": request.method,
            **method.model_dump(exclude={"overrides"}),
            "pretraining": None if before is None else before.key,
        },
        "options": {**request.options},
        "labels": {
            "shots": request.shots,
            "draw": request.draw,
            "seed": request.seed,
            "support": data.support,
            "support_slices": data.support_slices,
        },
        "budget": {**request.budget.model_dump(), "val": request.val},
        "backbone": {"backbone": request.backbone, **request.checkpoints},
        "data": {
            "dataset": request.dataset,
            **request.dataset_options,
            **data.model_dump(
                include={
                    *("name", "fingerprint", "modality", "classes", "spacing", "skipped", "pool")
                }
            ),
        },
        "split": data.model_dump(include={"split", "split_sha256", "probe", "test"}),
        "versions": packages,
        "machine": record.machine.model_dump(),
    }


_NOTHING = object()


def _shown(first: Any, second: Any) -> tuple[str, str]:
    """Of two lists only what the other has not."""
    if isinstance(first, list) and isinstance(second, list):
        return _rest(first, second), _rest(second, first)
    return _text(first), _text(second)


def _rest(mine: Sequence[Any], other: Sequence[Any]) -> str:
    only = [item for item in mine if item not in other]
    if not only and len(mine) == len(other):
        return f"another order of {len(mine)}"
    return f"only here: {', '.join(map(value_text, only))}" if only else "nothing of its own"


def _text(value: Any) -> str:
    if value is _NOTHING:
        return ABSENT
    return value_text(dict(value) if isinstance(value, Mapping) else value)
