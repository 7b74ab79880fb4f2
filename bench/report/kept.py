"""Which cases are shown: of each row the worst, the median and the best of those kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from bench.board.order import draw_order
from bench.board.tables import Row, Table
from bench.record.schema import CaseResult, Record

KINDS = ("worst", "median", "best")


@dataclass(frozen=True, eq=False)
class Shown:
    """One case of one record. dice: mean over the classes that could be scored."""

    table: Table
    row: Row
    record: Record
    kind: str
    case: CaseResult
    dice: float


def case_dice(case: CaseResult) -> float | None:
    found = [score.dice for score in case.classes.values() if score.dice is not None]
    return mean(found) if found else None


def shown_cases(tables: Sequence[Table], kept: Mapping[str, Record]) -> list[Shown]:
    """`kept`: key -> record with predictions. A row shows its last column that kept any, and there
    the first draw and seed."""
    found: list[Shown] = []
    for table in tables:
        for row in table.rows:
            record = _record(row, table, kept)
            if record is not None:
                found += _cases(table, row, record)
    return found


def _record(row: Row, table: Table, kept: Mapping[str, Record]) -> Record | None:
    for column in reversed(table.columns):
        units = [unit for unit in row.cells[column].units if unit.key in kept]
        if units:
            first = min(units, key=lambda unit: (draw_order(unit.draw), unit.seed, unit.key))
            return kept[first.key]
    return None


def _cases(table: Table, row: Row, record: Record) -> list[Shown]:
    scored = [(dice, case) for case in record.cases if (dice := case_dice(case)) is not None]
    scored.sort(key=lambda pair: (pair[0], pair[1].case))
    if not scored:
        return []
    places = (0, (len(scored) - 1) // 2, len(scored) - 1)
    return [
        Shown(table, row, record, kind, scored[place][1], scored[place][0])
        for kind, place in zip(KINDS, places, strict=True)
    ]
