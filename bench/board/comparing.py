"""Two methods or two records, paired, in a plain sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.board.describe import place_text, sample_text, weights_text
from bench.board.differing import Different, different, same_data
from bench.board.interval import FEW_PATIENTS
from bench.board.order import draw_order
from bench.board.paired import ALPHA, Comparison, compare, scores_of
from bench.board.shortening import unit_of
from bench.board.signedrank import smallest_p
from bench.board.tables import Column, Row, Table
from bench.board.text import plain, plural
from bench.board.units import Unit
from bench.errors import RequestError, unknown
from bench.record.schema import Record

NAMES = {"dice": "Dice", "iou": "IoU"}


@dataclass(frozen=True, eq=False)
class Compared:
    """heading: where the two were compared; notes: what a reader must know of it."""

    heading: str
    first: str
    second: str
    comparison: Comparison
    notes: tuple[str, ...]


def compare_methods(tables: Sequence[Table], first: str, second: str, score: str) -> list[Compared]:
    """In every table and column where both have complete cells. A name is a method or a row."""
    for name in (first, second):
        if not any(_rows(table, name) for table in tables):
            known = {row.label for table in tables for row in table.rows}
            raise unknown("method or row", name, known)
    found: list[Compared] = []
    gaps: list[str] = []
    for table in tables:
        rows = [_one(table, name) for name in (first, second)]
        if rows[0] is None or rows[1] is None:
            continue
        for column in table.columns:
            pair = _in_column(table, column, rows[0], rows[1], score)
            if pair is None:
                gaps.append(f"{_heading(table, column)}: not complete for both")
            else:
                found.append(pair)
    if not found:
        missing = "; ".join(gaps[:3]) or "they have no table in common"
        raise RequestError(f"nothing to compare {first} and {second} by: {missing}")
    return found


def _rows(table: Table, name: str) -> list[Row]:
    exact = [row for row in table.rows if row.label == name]
    return exact or [row for row in table.rows if row.variant.method == name]


def _one(table: Table, name: str) -> Row | None:
    rows = _rows(table, name)
    if len(rows) > 1:
        labels = ", ".join(repr(row.label) for row in rows)
        raise RequestError(f"{name} is {len(rows)} rows of one table; name one of them: {labels}")
    return rows[0] if rows else None


def _in_column(
    table: Table, column: Column, first: Row, second: Row, score: str
) -> Compared | None:
    cells = [row.cells[column] for row in (first, second)]
    if any(getattr(cell, score) is None for cell in cells):
        return None
    patients = tuple(sorted({p for cell in cells for unit in cell.units for p in unit.patients}))
    draws = sorted({*cells[0].draws, *cells[1].draws}, key=draw_order)
    comparison = compare(*(scores_of(cell.units, draws, patients, score) for cell in cells))
    if comparison is None:
        return None
    units = [unit for cell in cells for unit in cell.units]
    return Compared(
        heading=_heading(table, column),
        first=first.label,
        second=second.label,
        comparison=comparison,
        notes=tuple(_notes(comparison, units)),
    )


def _heading(table: Table, column: Column) -> str:
    backbone = weights_text(table.key)
    return plain(f"{place_text(table.key)} · backbone {backbone} · {column.label} shot")


def compare_records(first: Record, second: Record, score: str) -> Compared:
    """By patient, one draw each. What else differs between the two is said first."""
    units = [unit_of(record, {}) for record in (first, second)]
    for unit in units:
        if unit.problem is not None:
            raise RequestError(f"record {unit.key} cannot be compared: {unit.problem}")
    apart = same_data(first, second)
    if apart:
        raise RequestError(
            f"records {first.key} and {second.key} cannot be paired: other {', '.join(apart)}; "
            f"see `diff {first.key} {second.key}`"
        )
    patients = units[0].patients
    scores = [scores_of([unit], [unit.draw], patients, score) for unit in units]
    comparison = compare(*scores)
    if comparison is None:
        raise RequestError(f"records {first.key} and {second.key}: no patient is scored in both")
    names = [f"{unit.variant.method} ({unit.key[:8]})" for unit in units]
    return Compared(
        heading=plain(f"{units[0].table.dataset}: record {first.key} against {second.key}"),
        first=names[0],
        second=names[1],
        comparison=comparison,
        notes=(*_record_notes(different(first, second)), *_notes(comparison, units)),
    )


def _record_notes(differences: Sequence[Different]) -> Iterator[str]:
    sections = list(dict.fromkeys(one.section for one in differences))
    if sections:
        yield f"the two records differ in {', '.join(sections)} (see `diff`)"


def _notes(comparison: Comparison, units: Sequence[Unit]) -> Iterator[str]:
    if comparison.patients < FEW_PATIENTS:
        yield sample_text(comparison.patients)
    if comparison.draws == 1:
        yield "one draw: nothing is said of another choice of labelled patients"
    if comparison.draws == 2:
        yield "two draws: of equal rows up to one pair in eight would be called different"
    if any(unit.table.weights == "nano" for unit in units):
        yield "made with nano backbones, our own: nothing is said of published checkpoints"
    blocks = sorted({unit.variant.block for unit in units} - {"method"})
    if blocks:
        yield f"not ranked with methods: block {', '.join(blocks)}"
    machines = {unit.machine.fingerprint for unit in units}
    if len(machines) > 1 and any(unit.table.budget.seconds is not None for unit in units):
        yield f"{len(machines)} machines under a budget of seconds: the faster one trained longer"


def sentences(found: Sequence[Compared], score: str) -> Iterator[str]:
    for one in found:
        yield one.heading
        yield f"  {sentence(one, score)}"
        for note in one.notes:
            yield f"  note: {note}"
    if len(found) > 1:
        yield "Each p is that of one comparison alone; tables/pairwise.csv has Holm's."


def sentence(one: Compared, score: str) -> str:
    """Better only where the test and the interval agree; else what would have been found."""
    c = one.comparison
    first, second, effect = plain(one.first), plain(one.second), 100 * c.effect
    size = f"{plural(c.draws, 'draw')}, {plural(c.patients, 'patient')}"
    if c.low is None or c.high is None:
        return (
            f"{first} less {second} is {effect:+.1f} {NAMES[score]} points ({size}): "
            "one patient and one draw say nothing of chance."
        )
    interval = f"[{100 * c.low:+.1f}, {100 * c.high:+.1f}]"
    test = f"Wilcoxon p = {c.p:.2g}, {size}"
    if c.p < ALPHA and c.surely_not_zero and c.one_sided:
        better, worse = (first, second) if effect > 0 else (second, first)
        if effect < 0:
            interval = f"[{-100 * c.high:+.1f}, {-100 * c.low:+.1f}]"
        return (
            f"{better} is better than {worse} by {abs(effect):.1f} {NAMES[score]} points "
            f"{interval} ({test})."
        )
    return (
        f"{first} and {second} cannot be told apart: the difference is {effect:+.1f} "
        f"{NAMES[score]} points {interval} ({test}){_findable(c)}."
    )


def _findable(c: Comparison) -> str:
    """What the same patients and draws could have shown."""
    if smallest_p(c.patients) >= ALPHA:
        return "; with so few patients Wilcoxon's test cannot tell, whatever the difference"
    if c.p < ALPHA and c.surely_not_zero:
        return "; most patients are for the one, the mean is for the other"
    detectable = c.detectable()
    if detectable is None:
        return ""
    return f"; one of {100 * detectable:.1f} points would have been found in 8 of 10 cases"
