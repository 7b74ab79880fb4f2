"""The browser of cases: what its script draws, and what stands there without images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.board.rescoring import kept_prediction
from bench.errors import DataError, RequestError
from bench.keys import copy_key
from bench.protocol import UNLABELLED
from bench.record.schema import Record
from bench.report.html import Cell, cell, script_json, table
from bench.report.kept import Shown
from bench.report.slices import runs, strip, thinning
from bench.report.tables import title_of

Volumes = Callable[[Record, str], tuple[np.ndarray, np.ndarray]]
"""A record and a case -> image and reference, both (slices, rows, columns)."""


@dataclass(frozen=True)
class Browser:
    """html, and what it holds: cases with images by dataset; what could not be shown."""

    html: str
    datasets: dict[str, int]
    problems: tuple[str, ...]


NOTHING = """<p>No predictions were kept.
<code>python -m bench run ... keep=predictions</code> keeps them.</p>"""
CLOSED = """<p>This file holds no image data. <code>report.images=true</code> puts slices of these
cases into it, with the outlines of reference and prediction.</p>"""


def browser(shown: Sequence[Shown], results: Path, volumes: Volumes | None) -> Browser:
    """`volumes`: None: no image data."""
    if not shown:
        return Browser(NOTHING, {}, ())
    listed = table(
        "Worst, median and best case of each row",
        ["method", "comparison", "shots", "draw", "which", "case", "Dice, %", "of each class, %"],
        [_line(one) for one in shown],
    )
    if volumes is None:
        return Browser(CLOSED + listed, {}, ())
    images: dict[str, dict[str, Any]] = {}
    thinned: dict[str, Any] = {}
    entries, problems = [], []
    absent: dict[str, str] = {}
    for one in shown:
        place = f"{one.record.data.fingerprint} {one.case.case}"
        try:
            prediction = kept_prediction(results, one.record, one.case.case)
            if place not in images:
                found = _volume(one, volumes, absent)
                if found is None:
                    continue
                image, reference = found
                thinned[place] = (thinning(reference), reference.shape)
                images[place] = _image(image, reference, one, thinned[place][0])
            cut, shape = thinned[place]
            if prediction.shape != shape:
                raise DataError(
                    one.case.case,
                    f"record {one.record.key} predicted {prediction.shape}, not {shape}",
                )
        except RequestError as error:
            problems.append(f"{one.row.label}: {error}")
            continue
        entries.append({**_entry(one), "image": place, "runs": runs(cut.of(prediction))})
    datasets: dict[str, set[str]] = {}
    for one in shown:
        place = f"{one.record.data.fingerprint} {one.case.case}"
        if place in images:
            datasets.setdefault(one.record.data.name, set()).add(one.case.case)
    data = script_json({"entries": entries, "images": images})
    element = f'<script type="application/json" id="cases">{data}</script>'
    html = f'<div id="browser"></div>{element}{listed}'
    counts = {name: len(cases) for name, cases in sorted(datasets.items())}
    return Browser(html, counts, (*dict.fromkeys(absent.values()), *problems))


def _volume(
    one: Shown, volumes: Volumes, absent: dict[str, str]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Image and reference. None where there is no copy of its data: `absent` gets one line for all
    cases of such a copy, and nobody asks for it again, since that may mean a download."""
    data, request = one.record.data, one.record.request
    copy = copy_key(request.dataset, {**request.dataset_options, "name": data.name})
    if copy in absent:
        return None
    try:
        return volumes(one.record, one.case.case)
    except DataError:  # of this case alone
        raise
    except RequestError as error:
        absent[copy] = (
            f"{data.name}: {str(error).rstrip('.')}; to `report`, say where its images are with "
            "data.root=DIR"
        )
        return None


def _image(image: np.ndarray, reference: np.ndarray, one: Shown, cut: Any) -> dict[str, Any]:
    small = cut.of(reference)
    areas = ((small > 0) & (small != UNLABELLED)).sum(axis=(1, 2))
    _, rows, columns = one.case.spacing
    return {
        "source": strip(cut.of(image)),
        "runs": runs(small),
        "shape": list(small.shape),
        "slices": cut.slices.tolist(),
        "depth": int(reference.shape[0]),
        "start": int(np.argmax(areas)),
        "aspect": (small.shape[2] * columns) / (small.shape[1] * rows),
        "classes": list(one.record.data.classes),
    }


def _entry(one: Shown) -> dict[str, Any]:
    return {
        "comparison": title_of(one.table),
        "row": one.row.label,
        "shots": one.record.request.shots,
        "draw": one.record.request.draw,
        "kind": one.kind,
        "case": one.case.case,
        "dice": round(100 * one.dice, 1),
        "each": {
            name: None if score.dice is None else round(100 * score.dice, 1)
            for name, score in one.case.classes.items()
        },
    }


def _line(one: Shown) -> list[Cell]:
    entry = _entry(one)
    each = ", ".join(
        f"{name} {'both empty' if dice is None else f'{dice:.1f}'}"
        for name, dice in entry["each"].items()
    )
    return [
        *(cell(one.row.label, heading=True), cell(entry["comparison"]), cell(entry["shots"])),
        *(cell(entry["draw"]), cell(one.kind), cell(one.case.case)),
        *(Cell(f"{entry['dice']:.1f}", entry["dice"]), cell(each)),
    ]
