"""Label equivalence: how many labels another row needs for what this one reaches with n.

Means at the shot counts of a table are joined by straight lines over the logarithm of the count.
The answer is the first count at which the other row's line reaches this row's mean; beyond the last
count it is not known, and nothing is extrapolated. The interval holds 95 % of the answers from
draws and patients that are drawn again, the same for both rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bench.board.order import SHOTS
from bench.board.paired import Scores, scores_of
from bench.board.ranking import TAIL, generator, weights
from bench.board.tables import Column, Row, Table

SAME = 1e-9
REPLICATES = 500


@dataclass(frozen=True, eq=False)
class Equivalence:
    """`row` at `shots` does as well as `other` at `value`.

    value, low, high  counts of labels; infinite where `other` never reaches it, and its first count
                      where it is there from the start (it may need fewer still)
    least, most       first and last count of the other row's line
    """

    row: Row
    other: Row
    kind: str
    shots: float
    value: float
    low: float
    high: float
    least: float
    most: float


@dataclass(frozen=True, eq=False)
class Curve:
    """One row: shots from low to high, means (counts,), the same drawn again (replicates, counts).

    kind  "" labelled patients, "%" shares of the training patients, "s" slices: never on one line
    """

    row: Row
    kind: str
    shots: np.ndarray
    means: np.ndarray
    drawn: np.ndarray


def equivalences(table: Table, score: str = "dice") -> list[Equivalence]:
    """Every ranked row at every count against every other ranked row with at least two counts."""
    found: list[Equivalence] = []
    for kind in ("", "%", "s"):
        curves = _curves(table, kind, score)
        for other in curves:
            if len(other.shots) > 1 and len(curves) > 1:
                found += _against(other, [curve for curve in curves if curve is not other])
    return sorted(found, key=lambda one: (one.kind, one.row.label, one.shots, one.other.label))


def _against(other: Curve, rows: Sequence[Curve]) -> list[Equivalence]:
    """All rows at once: that is what makes many of them quick."""
    means = np.concatenate([row.means for row in rows])
    values = reached_at(other.shots, other.means[None], means[None])[0]
    drawn = reached_at(other.shots, other.drawn, np.concatenate([r.drawn for r in rows], axis=1))
    last = len(drawn) - 1  # quantiles of what may be infinite: of those drawn, without a mean
    places = [int(np.floor(TAIL * last)), int(np.ceil((1 - TAIL) * last))]
    low, high = np.partition(drawn, places, axis=0)[places]
    cells = [(row.row, float(shots)) for row in rows for shots in row.shots]
    return [
        Equivalence(
            row=row,
            other=other.row,
            kind=other.kind,
            shots=shots,
            value=float(values[i]),
            low=float(low[i]),
            high=float(high[i]),
            least=float(other.shots[0]),
            most=float(other.shots[-1]),
        )
        for i, (row, shots) in enumerate(cells)
    ]


def reached_at(shots: np.ndarray, curve: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """First count at which each curve reaches what is wanted: infinite if it never does.

    shots (counts,) from low to high; curve (times, counts); wanted (times, values)
    """
    logs = np.log(shots)
    highest = np.maximum.accumulate(curve, axis=1) + SAME
    place = np.zeros(wanted.shape, int)  # of the first count that reaches it
    for i in range(len(shots)):
        place += highest[:, i, None] < wanted
    after = np.clip(place, 1, len(shots) - 1)
    before = np.take_along_axis(curve, after - 1, axis=1)
    rise = np.take_along_axis(curve, after, axis=1) - before
    inside = (place > 0) & (place < len(shots))
    part = np.divide(wanted - before, rise, out=np.zeros(wanted.shape), where=inside)
    found = np.exp(logs[after - 1] + np.clip(part, 0, 1) * np.diff(logs)[after - 1])
    found[place == 0] = shots[0]
    found[place == len(shots)] = np.inf
    return found


def _curves(table: Table, kind: str, score: str) -> list[Curve]:
    """Rows with their complete cells; named draws are no sample and have no place on a line."""
    columns = [(size, column) for column in table.columns if (size := _size(column, kind))]
    columns.sort(key=lambda pair: pair[0])
    patients = table.patients
    if not patients:
        return []
    by_patient = _drawn_again(f"{table.key.id} {score} patients", len(patients))
    rows: dict[Row, list[tuple[float, Column, Scores]]] = {}
    for size, column in columns:
        for row in table.block("method"):
            cell = row.cells[column]
            if getattr(cell, score) is not None:
                scores = scores_of(cell.units, cell.draws, patients, score)
                rows.setdefault(row, []).append((size, column, scores))
    return [
        Curve(
            row=row,
            kind=kind,
            shots=np.array([size for size, _, _ in cells]),
            means=np.array([scores.mean for _, _, scores in cells]),
            drawn=np.stack([_drawn(table, c, s, by_patient, score) for _, c, s in cells], axis=1),
        )
        for row, cells in rows.items()
    ]


def _drawn(
    table: Table, column: Column, scores: Scores, by_patient: np.ndarray, score: str
) -> np.ndarray:
    """The cell's mean with draws and patients drawn again. The draws of a column are the same for
    all rows, the patients also for all columns."""
    use = scores.usable
    by_draw = _drawn_again(f"{table.key.id} {column} {score} draws", int(use.sum()))
    scale = len(scores.patients)
    drawn = scores.means[use][:, None] + scale * (scores.parts[use] @ by_patient.T)
    found: np.ndarray = np.einsum("bd,db->b", by_draw, drawn)
    return found


@lru_cache(maxsize=64)  # all rows of a column ask for the same
def _drawn_again(identity: str, count: int) -> np.ndarray:
    return weights(count, generator(identity), REPLICATES)


def _size(column: Column, kind: str) -> float | None:
    found = SHOTS.fullmatch(column.shots)
    if column.draw or not found or found[2] != kind:
        return None
    return float(found[1]) or None


def sentence(found: Sequence[Equivalence]) -> list[str]:
    """ "alpha with 5 = beta with 14 [9, not reached]", a line each."""
    return [
        f"{one.row.label} with {count_text(one.shots, one)} = {one.other.label} with "
        f"{reach_text(one.value, one)} [{reach_text(one.low, one)}, {reach_text(one.high, one)}]"
        for one in found
    ]


def count_text(value: float, one: Equivalence) -> str:
    return f"{value:.3g}{one.kind}"


def reach_text(value: float, one: Equivalence) -> str:
    """A count, "at most 1", or "not reached (more than 50)"."""
    if np.isinf(value):
        return f"not reached (more than {count_text(one.most, one)})"
    if value <= one.least:
        return f"at most {count_text(one.least, one)}"
    return count_text(value, one)
