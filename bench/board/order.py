"""The order in which a person expects shots, draws, backbones and blocks."""

from __future__ import annotations

import re
from typing import Final

BLOCKS: Final = ("method", "seen", "control", "oracle")
BACKBONES: Final = ("nano", "tiny", "base", "large")

SHOTS = re.compile(r"(\d+(?:\.\d+)?)(%|s|)")


def shots_order(shots: str) -> tuple[int, float, str]:
    """Volumes, then percent of the patients, then slices, then anything else by name."""
    found = SHOTS.fullmatch(shots)
    if not found:
        return (3, 0.0, shots)
    return (("", "%", "s").index(found[2]), float(found[1]), shots)


def draw_order(draw: str) -> tuple[int, int, str]:
    return (0, int(draw), draw) if is_numbered(draw) else (1, 0, draw)


def is_numbered(draw: str) -> bool:
    """Numbered draws are a random sample; a named draw is one published list."""
    return re.fullmatch(r"[0-9]{1,9}", draw) is not None


def backbone_order(backbone: str) -> tuple[int, str]:
    place = BACKBONES.index(backbone) if backbone in BACKBONES else len(BACKBONES)
    return (place, backbone)
