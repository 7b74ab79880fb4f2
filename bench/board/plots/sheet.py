"""A figure with room for its heading, its panels and what stands beside them.

The places are computed in inches: matplotlib's layout engines draw everything twice more, and with
hundreds of units that was most of a board's time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.figure import Figure

LEFT, BOTTOM, GAP, LINE_HEIGHT, LETTER = 0.7, 0.6, 0.35, 0.19, 0.068
"""Inches: margins, gap between lines of panels, a heading line, a letter of a label."""
Share = bool | Literal["none", "all", "row", "col"]


@dataclass(frozen=True)
class Room:
    """Inches around the panels, and between two of a line."""

    left: float = LEFT
    right: float = 0.2
    bottom: float = BOTTOM
    between: float = 0.15


@dataclass(frozen=True, eq=False)
class Sheet:
    """panels: axes as (down, across). beside: where a legend begins, as a share of the figure."""

    figure: Figure
    panels: np.ndarray
    beside: tuple[float, float]


def sheet(
    *,
    panels: tuple[int, int],
    panel_size: tuple[float, float],
    heading: Sequence[str],
    room: Room,
    at_least: float = 0.0,
    sharex: Share = "row",
    sharey: Share = "row",
) -> Sheet:
    """`panel_size` is (width, height) in inches; `at_least` the height of what stands beside."""
    down, across = panels
    top = 0.35 + LINE_HEIGHT * len(heading)
    width = room.left + across * panel_size[0] + (across - 1) * room.between + room.right
    width = max(width, 0.3 + 1.15 * LETTER * max(map(len, heading)))  # no heading is cut off
    height = top + down * panel_size[1] + (down - 1) * 2 * GAP + room.bottom
    height = max(height, at_least)
    figure = Figure(figsize=(width, height))
    inner = room.left + across * panel_size[0] + (across - 1) * room.between
    axes = figure.subplots(
        down,
        across,
        squeeze=False,
        sharex=sharex,
        sharey=sharey,
        gridspec_kw={
            "left": room.left / width,
            "right": inner / width,
            "top": 1 - top / height,
            "bottom": room.bottom / height,
            "wspace": room.between / panel_size[0],
            "hspace": 2 * GAP / panel_size[1],
        },
    )
    figure.text(
        *(0.1 / width, 1 - 0.1 / height, "\n".join(heading)),
        fontsize=10,
        verticalalignment="top",
    )
    return Sheet(figure, axes, ((inner + 0.1) / width, 1 - 0.05 / height))


def letters_wide(labels: Sequence[str]) -> float:
    """Inches that the longest label takes."""
    return LETTER * max(map(len, labels), default=0)
