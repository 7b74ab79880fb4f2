"""python -m bench report [results=DIR] [out=FILE] [report.images=true]

One HTML file from the records: tables to sort and filter, the figures, cases whose predictions
were kept, failed units, the methods' cards. It needs no network. Without out= it is report.html in
the results folder. Image data enters it only with report.images=true, and the file then says so;
data.root=DIR and data.cache=DIR say where the images are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.words import read_words
from bench.errors import DataError, RequestError

if TYPE_CHECKING:
    from bench.registry import Registry
    from bench.report import ReportSummary
    from bench.report.cases import Volumes

KEYS = ("results", "out", "report.images", "data.root", "data.cache")


def main(arguments: Sequence[str], include: tuple[Path, ...]) -> int:
    words = read_words(arguments, keys=KEYS)
    if words.plain:
        raise RequestError(
            f"report {' '.join(words.plain)}: say key=value, one of {', '.join(KEYS)}"
        )
    images = words.keys.get("report.images", "false")
    if images not in ("true", "false"):
        raise RequestError(f"report.images={images}: true or false")
    results = words.results()
    out = words.folder("out", str(results / "report.html"))
    if out.is_dir():
        raise RequestError(f"out={out}: that is a folder; give a file")
    data = {"root": words.keys.get("data.root"), "cache": words.keys.get("data.cache")}
    summary = make_report(results, out, include, images=images == "true", data=data)
    for problem in summary.problems:
        print(f"not shown: {problem}")
    held = ", ".join(f"{name} ({count} cases)" for name, count in summary.images.items())
    print(f"{summary.records} records, {summary.tables} tables; image data: {held or 'none'}")
    print(f"report: {out.resolve()}")
    return 0


def make_report(
    results: Path,
    out: Path,
    include: tuple[Path, ...],
    *,
    images: bool,
    data: dict[str, str | None],
) -> ReportSummary:
    from bench.cards import DatasetCard
    from bench.registry import discover
    from bench.report import write_report

    registry = discover(include)
    cards = {name: found.card for name, found in registry.methods.items() if found.card is not None}
    drawn = frozenset(
        name
        for name, found in registry.datasets.items()
        if isinstance(found.card, DatasetCard) and found.card.demo
    )
    volumes = stored_volumes(registry, data) if images else None
    return write_report(results, out, cards=cards, volumes=volumes, drawn=drawn)


def stored_volumes(registry: Registry, data: dict[str, str | None]) -> Volumes:
    """Images and references of the copies that the records were made on, and of no other."""
    import numpy as np

    from bench.data.ready import Ready, make_ready
    from bench.keys import copy_key
    from bench.record.schema import HASHED_IDS, Record

    given = {**data, "partial": True, "skip_bad": True}
    copies: dict[str, Ready] = {}

    def volumes(record: Record, case: str) -> tuple[np.ndarray, np.ndarray]:
        request = record.request
        hashed = record.data.name.endswith(f", {HASHED_IDS}")
        place = copy_key(request.dataset, {**request.dataset_options, "hash_ids": hashed})
        if place not in copies:
            copies[place] = make_ready(
                registry,
                request.dataset,
                request.dataset_options,
                {**given, "hash_ids": hashed},
            )
        copy = copies[place]
        if copy.fingerprint != record.data.fingerprint:
            raise DataError(
                case,
                f"record {record.key} was made on {record.data.name} with fingerprint "
                f"{record.data.fingerprint[:12]}, the copy here has {copy.fingerprint[:12]}",
            )
        volume = copy.store.volume(case, with_label=True)
        assert volume.label is not None
        return volume.image, volume.label

    return volumes
