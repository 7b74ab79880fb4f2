"""The command that makes a cell again, from what its records say."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from bench.board.cells import Cell
from bench.board.order import draw_order
from bench.board.tables import Column
from bench.board.units import Unit
from bench.record.schema import HASHED_IDS, NO_BACKBONE, Record, Request

CONF = Path(__file__).resolve().parents[1] / "conf"
BARE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+%/@?|-]*")
"""What Hydra's grammar takes without quotes."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
WORDS = ("true", "false", "null", "nan", "inf", "none", "yes", "no", "on", "off")
PARTIAL = re.compile(r"\b\d+ of \d+ (cases|patients)\b")
"""How a copy that lacks cases is named (`bench/data/copies.py`)."""


def command_of(column: Column, cell: Cell, unit: Unit) -> str:
    """`unit`: one of the cell's, done or failed; all draws that a complete cell needs."""
    draws = [column.draw] if column.draw else sorted(cell.required, key=draw_order)
    seeds = sorted({one.seed for one in cell.units} or {unit.seed})
    words = [*unit.words, f"shots={column.shots}", f"draw={','.join(map(value_word, draws))}"]
    if seeds != [0]:
        words.append(f"seed={','.join(map(str, seeds))}")
    return shlex.join(["python", "-m", "bench", "run", *words])


def words_of(record: Record) -> tuple[str, ...]:
    """`key=value` words of all but shots, draw and seed, as `run` takes them."""
    request, machine = record.request, record.machine
    changed = {k: v for k, v in record.method.overrides.items() if k != "pool"}
    words = [
        f"method={value_word(request.method)}",
        *_options("method", changed),
        f"dataset={value_word(request.dataset)}",
        *_options("dataset", request.dataset_options),
        *_budget(request),
        *_backbone(request),
    ]
    if request.pool != ["own"]:
        words.append(f"pool={','.join(map(value_word, request.pool))}")
    if request.val != "none":
        words.append(f"val={request.val}")
    copies = [record.data.name, *(pool.name for pool in record.data.pools)]
    if any(PARTIAL.search(name) for name in copies):
        words.append("data.partial=true")
    if record.data.skipped:
        words.append("data.skip_bad=true")
    if record.data.name.endswith(f", {HASHED_IDS}"):
        words.append("data.hash_ids=true")
    if machine.device == "cpu":
        return (*words, "device=cpu", f"executor.threads={machine.threads}")
    return (*words, "device=cuda")


def _options(group: str, values: Mapping[str, Any]) -> Iterator[str]:
    return (f"{group}.{name}={value_word(values[name])}" for name in sorted(values))


def _budget(request: Request) -> Iterator[str]:
    """The name, and the numbers that are not those of the name today. A changed budget's own name
    says what was changed, after a plus."""
    base = request.budget.name.partition("+")[0]
    known = named("budget", base)
    yield f"budget={value_word(base)}"
    for name, value in request.budget.model_dump(exclude={"name"}).items():
        if known.get(name) != value:
            yield f"budget.{name}={value_word(value)}"


def _backbone(request: Request) -> Iterator[str]:
    if request.backbone == NO_BACKBONE:
        return
    base = request.backbone.partition("+")[0]
    known = named("backbone", base)
    yield f"backbone={value_word(base)}"
    for family in sorted(request.checkpoints):
        if known.get(family) != request.checkpoints[family]:
            yield f"backbone.{family}={value_word(request.checkpoints[family])}"


@cache
def named(group: str, name: str) -> Mapping[str, Any]:
    """A budget or backbone of the suite; empty where there is none of that name any more."""
    file = CONF / group / f"{name}.yaml"
    return yaml.safe_load(file.read_text()) if NAME.fullmatch(name) and file.is_file() else {}


def value_word(value: object) -> str:
    """As Hydra's grammar reads it back: 0.001, true, null, [1,2], 'a b'."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, list | tuple):
        return "[" + ",".join(value_word(item) for item in value) + "]"
    if isinstance(value, dict):
        pairs = (f"{value_word(str(key))}:{value_word(value[key])}" for key in sorted(value))
        return "{" + ",".join(pairs) + "}"
    text = str(value)
    if not isinstance(value, str) or (BARE.fullmatch(text) and text.lower() not in WORDS):
        return text
    return "'" + re.sub(r"(\\*)'", r"\1\1\\'", text) + "'"
