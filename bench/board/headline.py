"""What a person reads in ten seconds: the best tied group of each column, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.board.cells import Cell
from bench.board.ledger import target_seconds
from bench.board.statistics import Family, TableStatistics, reachable
from bench.board.tables import Column, Row, Table

NAMES = 5
"""Rows of a tied group that are named; the rest is counted."""


@dataclass(frozen=True, eq=False)
class Headline:
    """One column of one table.

    group    the ranked rows that were not told apart from the best, the best first; empty where no
             ranked row is complete
    ranked   how many complete ranked rows there are
    unbeaten controls that the best row could not be shown to be better than; None where no control
             is complete
    decidable, provable   so many patients could tell two ranked rows, or a ranked row and a
             control, apart, were they unlike enough; with fewer the corrected test never can
    """

    table: Table
    column: Column
    group: tuple[Row, ...]
    ranked: int
    unbeaten: tuple[Row, ...] | None
    decidable: bool
    provable: bool

    @property
    def best(self) -> Cell | None:
        return self.group[0].cells[self.column] if self.group else None

    @property
    def cheapest(self) -> tuple[Row, float] | None:
        """Of the group, by device seconds of one target task; None across machines."""
        cells = [row.cells[self.column] for row in self.group]
        machines = {cost.machine.fingerprint for cell in cells for cost in cell.costs}
        costs = [(row, seconds_of(row.cells[self.column])) for row in self.group]
        known = [(row, seconds) for row, seconds in costs if seconds is not None]
        if len(known) < len(costs) or len(machines) != 1:
            return None
        return min(known, key=lambda pair: pair[1])


def headlines(statistics: Sequence[TableStatistics]) -> list[Headline]:
    return [
        _headline(found, column)
        for found in statistics
        for column in found.table.columns
        if found.table.rows
    ]


def _headline(found: TableStatistics, column: Column) -> Headline:
    table = found.table
    rows = {row.label: row for row in table.block("method")}
    standings = found.columns[column].standings  # from best to worst
    letters = {label: set(_names(place.letters)) for label, place in standings.items()}
    first = next(iter(letters.values()), set[str]())  # the best may have a second letter
    group = tuple(rows[label] for label, own in letters.items() if own & first)
    controls = [row for row in table.block("control") if row.cells[column].dice is not None]
    unbeaten: tuple[Row, ...] | None = None
    if group and controls:
        beaten = {
            pair.second.label
            for pair in found.pairs
            if pair.column == column
            and pair.first is group[0]
            and pair.second.variant.block == "control"
            and pair.differ
            and pair.comparison.effect > 0
        }
        unbeaten = tuple(row for row in controls if row.label not in beaten)
    return Headline(
        table=table,
        column=column,
        group=group,
        ranked=len(standings),
        unbeaten=unbeaten,
        decidable=_decidable(found, column, "ranked"),
        provable=_decidable(found, column, "apart"),
    )


def _decidable(found: TableStatistics, column: Column, family: Family) -> bool:
    members = [pair for pair in found.pairs if pair.family == family]
    here = [pair for pair in members if pair.column == column]
    return bool(reachable(here, len(members)))


def group_words(one: Headline) -> tuple[str, str]:
    """The best row's name, and what follows it; plain text, to be escaped."""
    best, *others = (row.label for row in one.group)
    if one.ranked == 1:
        return best, "; the only complete row"
    if not one.decidable:
        return best, f"; {_patients(one)} are too few to tell any two rows apart"
    more = f" and {len(others) - NAMES + 1} more" if len(others) >= NAMES else ""
    return best, "".join(f", {name}" for name in others[: NAMES - 1]) + more


def controls_words(one: Headline) -> str:
    if one.unbeaten is None:
        return "—"
    if not one.unbeaten:
        return "yes"
    if not one.provable:
        return f"{_patients(one)} are too few to say"
    return f"no: {', '.join(row.label for row in one.unbeaten)}"


def patients_words(one: Headline) -> str:
    assert one.best is not None
    assert one.best.dice is not None
    count = str(one.best.dice.patients)
    return f"{count}; one draw" if one.best.dice.draws == 1 else count


def _patients(one: Headline) -> str:
    assert one.best is not None
    assert one.best.dice is not None
    return f"{one.best.dice.patients} patients"


def _names(letters: str) -> list[str]:
    """ "abc1" -> a, b, c1."""
    names: list[str] = []
    for char in letters:
        if char.isdigit():
            names[-1] += char
        else:
            names.append(char)
    return names


def seconds_of(cell: Cell) -> float | None:
    """Device seconds of one target task, pre-training and prediction included; None where the
    units are of several machines."""
    if len(cell.costs) != 1:
        return None
    return median(target_seconds(unit, 1) for unit in cell.costs[0].units)


def memory_of(cell: Cell) -> float | None:
    """Peak bytes, of the accelerator where there is one."""
    if len(cell.costs) != 1:
        return None
    medians = cell.costs[0].medians
    if cell.costs[0].machine.device != "cpu":
        return medians["peak_device_bytes"]
    return medians["peak_host_bytes"]
