"""python -m bench ls [KIND ...] [--json] [results=DIR]

KIND is methods, datasets, budgets, backbones, checkpoints or records; without one: methods and
datasets. A backbone names one checkpoint of each family; `backbone.sam=NAME` takes another one of
`ls checkpoints`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.cards import DatasetCard, MethodCard, read_yaml
from bench.cli.words import read_words
from bench.errors import RequestError, one_line, unknown
from bench.registry import Found, discover

CONF = Path(__file__).resolve().parents[1] / "conf"
KINDS = ("methods", "datasets", "budgets", "backbones", "checkpoints", "records")
Row = dict[str, Any]


def main(arguments: Sequence[str], include: tuple[Path, ...]) -> int:
    words = read_words(arguments, keys=["results"], flags=["--json"])
    kinds = words.plain or ("methods", "datasets")
    listed: dict[str, list[Row]] = {}
    for kind in kinds:
        if kind not in KINDS:
            raise unknown("list", kind, KINDS)
        listed[kind] = rows_of(kind, include, words.results())
    if "--json" in words.flags:
        print(json.dumps(listed if len(listed) > 1 else listed[kinds[0]], indent=1))
        return 0
    for kind, rows in listed.items():
        print(f"{kind} ({len(rows)})")
        print(table(rows))
        print()
    return 0


def rows_of(kind: str, include: tuple[Path, ...], results: Path) -> list[Row]:
    if kind == "methods":
        return [_method(found) for found in discover(include).methods.values()]
    if kind == "datasets":
        return [_dataset(found) for found in discover(include).datasets.values()]
    if kind == "budgets":
        return [_group(file) for file in sorted((CONF / "budget").glob("*.yaml"))]
    if kind == "backbones":
        return [_group(file) for file in sorted((CONF / "backbone").glob("*.yaml"))]
    if kind == "checkpoints":
        return _checkpoints()
    return _records(results)


def _method(found: Found) -> Row:
    if not isinstance(found.card, MethodCard):
        return {"name": found.name, "block": "-", "what": f"unavailable: {found.problem}"}
    what = f"unavailable: {found.problem}" if found.problem else found.card.summary
    return {"name": found.name, "block": found.card.block, "what": what}


def _dataset(found: Found) -> Row:
    if not isinstance(found.card, DatasetCard):
        return {"name": found.name, "modality": "-", "cases": "-", "what": found.problem}
    card = found.card
    what = f"unavailable: {found.problem}" if found.problem else card.summary
    return {
        "name": found.name,
        "modality": card.modality,
        "cases": "-" if card.cases is None else card.cases,
        "what": what,
    }


def _group(file: Path) -> Row:
    """A file of a Hydra group; its first comment says what it is for."""
    comment = file.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
    values = read_yaml(file)
    shown = {k: ("-" if v is None else v) for k, v in values.items() if k != "name"}
    return {"name": file.stem, **shown, "what": comment}


def _checkpoints() -> list[Row]:
    from bench.models.checkpoints import checkpoint_rows

    order = ("family", "name", "size", "input", "here", "licence", "title", "trained on")
    return [{name: row[name] for name in order} for row in checkpoint_rows()]


def _records(results: Path) -> list[Row]:
    from bench.record.store import record_files
    from bench.smallfile import read_json

    rows: list[Row] = []
    for file in record_files(results):
        try:
            rows.append(_record(read_json(file)))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise RequestError(f"record {file}: not a record; delete it") from None
    return rows


def _record(record: Mapping[str, Any]) -> Row:
    """Not held against the schema: there may be many, and only this much is shown."""
    request = record["request"]
    return {
        "key": record["key"],
        "method": request["method"],
        "dataset": request["dataset"],
        "shots": request["shots"],
        "draw": request["draw"],
        "budget": request["budget"]["name"],
        "status": record["status"],
        "what": record.get("reason") or "",
    }


def table(rows: Sequence[Row]) -> str:
    """Columns as wide as their widest cell; the last one runs free. Cells may be strangers' text:
    none of it steers the terminal."""
    if not rows:
        return "  (none)"
    names = list(rows[0])
    cells = [names, *([one_line(str(row.get(name, ""))) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names) - 1)]
    return "\n".join(
        "  "
        + "  ".join(
            [*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]
        ).rstrip()
        for line in cells
    )
