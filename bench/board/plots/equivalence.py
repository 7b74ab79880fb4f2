"""How many labels another row needs for what a row reaches with few."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.board.equivalence import Equivalence, count_text, equivalences
from bench.board.plots.matrix import matrices, shade
from bench.board.plots.words import place_lines, row_text
from bench.board.tables import Table

SHORT = "Label equivalence"
READING = (
    f"{SHORT}: for what the row on the left reaches, the one below needs so many labels",
    "darker: more; >: not reached with that many; ≤: reached with the fewest that were run",
)


def equivalence_figure(table: Table) -> Figure | None:
    """Of the kind of shots (patients, percent, slices) that has most; None where nothing can be
    said."""
    found = equivalences(table)
    kinds = [one.kind for one in found]
    if not found:
        return None
    kind = max(("", "%", "s"), key=kinds.count)
    found = [one for one in found if one.kind == kind]
    named = {row.label for one in found for row in (one.row, one.other)}
    rows = [row for row in table.block("method") if row.label in named]
    place = {row.label: index for index, row in enumerate(rows)}
    shots = sorted({one.shots for one in found})

    def draw(axes: Axes, number: int) -> None:
        values = np.full((len(rows), len(rows)), np.nan)
        texts = [[""] * len(rows) for _ in rows]
        for one in found:
            if one.shots == shots[number]:
                up, across = place[one.row.label], place[one.other.label]
                values[up, across], texts[up][across] = _cell(one)
        shade(axes, values, texts, most=1.0)

    return matrices(
        titles=[f"with {shot:g}{kind}" for shot in shots],
        heading=[*READING, *place_lines(table)],
        labels=[row_text(row) for row in rows],
        axis="needs",
        draw=draw,
    )


def _cell(one: Equivalence) -> tuple[float, str]:
    """Shade from 0 (the fewest that were run) to 1 (not reached), logarithmic; and the text."""
    if np.isinf(one.value):
        return 1.0, f">{count_text(one.most, one)}"
    if one.value <= one.least:
        return 0.0, f"≤{count_text(one.least, one)}"
    share = np.log(one.value / one.least) / np.log(one.most / one.least)
    return 0.85 * float(share), f"{one.value:.2g}{one.kind}"
