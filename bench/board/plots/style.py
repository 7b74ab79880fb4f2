"""One quiet look for all figures: colour-blind palette, and a marker and a line style for each row
so that a grey print can be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import matplotlib
import seaborn

from bench.board.order import BLOCKS
from bench.board.tables import Row

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "d")
LINES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))
READABLE = (0, 1, 2, 3, 9, 4, 5)
"""Of the colour-blind palette: no yellow and pink (pale on white), no grey (the controls)."""
GREYS = ("0.35", "0.5", "0.62", "0.42", "0.56")
DARKS = ("0.0", "0.2")

OVERRIDES = {
    "svg.fonttype": "path",  # the same picture on a machine that lacks the font
    "svg.hashsalt": "sambench",
    "text.parse_math": False,  # a name may hold a dollar sign
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titley": 1.0,  # a fixed place: to look for one costs a third of a figure
    "axes.labelsize": 9.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "axes.edgecolor": "0.6",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "0.92",
    "figure.dpi": 100.0,
}


@dataclass(frozen=True)
class Look:
    colour: Any
    marker: str
    line: Any
    filled: bool
    width: float

    def line_of(self, marker_size: float) -> dict[str, Any]:
        """As matplotlib's lines take it."""
        return {
            "color": self.colour,
            "linestyle": self.line,
            "linewidth": self.width,
            "marker": self.marker,
            "markersize": marker_size,
            "markerfacecolor": self.colour if self.filled else "white",
        }


@contextmanager
def quiet_style() -> Iterator[None]:
    """From matplotlib's own defaults: the files must not depend on the user's settings."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        settings: dict[Any, Any] = {**seaborn.axes_style("whitegrid"), **OVERRIDES}
        matplotlib.rcParams.update(settings)
        yield


Places = Mapping[str, Sequence[str]]
"""Of one table: block -> the labels of its rows, from the top."""


def looks(tables: Sequence[Places]) -> dict[tuple[str, str], Look]:
    """(block, row label) -> look; a row looks the same in every figure of one build."""
    palette = seaborn.color_palette("colorblind")
    readable = [palette[place] for place in READABLE]
    colours = {"method": readable, "seen": DARKS, "control": GREYS, "oracle": DARKS}
    found: dict[tuple[str, str], Look] = {}
    for offset, block in enumerate(BLOCKS):
        for place, label in enumerate(_by_place(tables, block)):
            cycle = place // len(READABLE)  # a colour comes again with another marker
            found[block, label] = Look(
                colour=colours[block][place % len(colours[block])],
                marker=MARKERS[(place + 3 * cycle + 3 * offset) % len(MARKERS)],
                line=(0, (1, 3))
                if block == "control"
                else LINES[(place + 2 * cycle + offset) % len(LINES)],
                filled=block == "method",
                width=1.0 if block == "control" else 1.4,
            )
    return found


def _by_place(tables: Sequence[Places], block: str) -> list[str]:
    """Labels of a block by their mean place in the tables: the rows at the top are those that a
    reader compares, so they come first in the palette and share no colour."""
    places: dict[str, list[int]] = defaultdict(list)
    for table in tables:
        for place, label in enumerate(table[block]):
            places[label].append(place)
    return sorted(places, key=lambda label: (fmean(places[label]), label))


Looks = Mapping[tuple[str, str], Look]


def look_of(style: Looks, row: Row) -> Look:
    return style[row.variant.block, row.label]
