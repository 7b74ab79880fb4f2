"""The section of a machine in docs/performance.md, between markers: replaced, or added."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.gpu.measuring import Figure

BEGIN, END = "<!-- make gpu: {} -->", "<!-- end of make gpu: {} -->"
SECTION = re.compile(
    r"\n<!-- make gpu: (?P<name>[^\n]*?) -->\n.*?\n<!-- end of make gpu: (?P=name) -->\n", re.DOTALL
)


@dataclass(frozen=True)
class Run:
    """peaks  what a large matrix product reached, operations a second, by precision"""

    machine: str
    versions: str
    day: str
    precision: str
    peaks: dict[str, float]
    figures: Sequence[Figure]
    left_out: Sequence[str]


def section(run: Run) -> str:
    products = ", ".join(f"{name} {speed / 1e12:.3g}" for name, speed in run.peaks.items())
    peak = run.peaks[run.precision]
    rows = [
        f"| {one.name} | {one.images / one.seconds:.3g} | {1000 * one.seconds:.4g} | "
        f"{one.speed / 1e12:.3g} | {100 * one.speed / peak:.0f} % | {_mebibytes(one)} |"
        for one in run.figures
    ]
    lines = [
        BEGIN.format(run.machine),
        f"## make gpu: {run.machine}",
        "",
        f"{run.versions}, {run.day}. Made by `make gpu`; random weights; {run.precision} where a "
        "method or encoder chooses by the device.",
        f"A large matrix product reaches, in TFLOP/s: {products}. *Share*: of that product's speed "
        f"in {run.precision}, operations as `torch.utils.flop_counter` counts them.",
        "",
        "| what | images/s | ms | TFLOP/s | share | peak memory |",
        "| --- | --- | --- | --- | --- | --- |",
        *rows,
        *(f"\nLeft out: {reason}" for reason in run.left_out),
        END.format(run.machine),
    ]
    return "\n" + "\n".join(lines) + "\n"


def kept(page: str) -> str:
    """The machines' sections of a page, for who writes the rest of it anew."""
    return "".join(found.group() for found in SECTION.finditer(page))


def with_section(page: str, run: Run) -> str:
    new = section(run)
    for found in SECTION.finditer(page):
        if found["name"] == run.machine:
            return page[: found.start()] + new + page[found.end() :]
    return page.rstrip("\n") + "\n" + new


def _mebibytes(one: Figure) -> str:
    return "-" if one.peak_bytes is None else f"{one.peak_bytes / 2**20:.0f} MiB"
