"""A dataset's copy -> a store. Each case is converted once; what is finished stays finished."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.contract import Copy, Dataset, Source, Spacing
from bench.data.bar import bar
from bench.data.checks import check_sources
from bench.data.convert import convert_case, read_case
from bench.data.copies import (
    Expected,
    MissingCopyError,
    check_complete,
    copy_name,
    layout_note,
    presence,
)
from bench.data.hashed import without_files
from bench.data.manifest import (
    MANIFEST,
    Manifest,
    fingerprint_of,
    hash_json,
    manifest_json,
    write_json,
)
from bench.data.shelf import (
    Entry,
    clear_old_labels,
    clear_scratch,
    clear_stale_labels,
    read_entry,
    restamp,
    write_entry,
)
from bench.data.sources import Stamp, converter_hash, hash_files, stamps_of
from bench.data.store import Store, labels_folder, open_store
from bench.data.voxels import Voxels
from bench.errors import DataError, RequestError
from bench.fetch.lock import alone
from bench.fetch.progress import Silent, terminal_meter

WORKERS = 2
"""Cases at once. Threads: reading, unpacking and numpy let go of the interpreter's lock."""


@dataclass(frozen=True)
class _Job:
    """One call of `prepare`, resolved."""

    dataset: Dataset
    copy: Copy
    folder: Path
    classes: tuple[str, ...]
    spacing: Spacing | None
    recipe: str
    skip_bad: bool
    hashed: bool
    voxels: Voxels


def prepare(
    dataset: Dataset,
    *,
    name: str,
    folder: Path,
    classes: Sequence[str],
    layouts: Mapping[str, str] | None = None,
    expected: Expected = None,
    spacing: Spacing | None = None,
    recipe: Mapping[str, Any] | None = None,
    partial: bool = False,
    skip_bad: bool = False,
    hashed: bool = False,
    workers: int = WORKERS,
    progress: bool = False,
) -> Store:
    """The store of the copy that `dataset` finds, made or brought up to date in `folder`.

    name      the dataset's name, as boards and errors say it
    layouts   the card's: layout -> note, "" for the official one; None: any layout, no note
    expected  the split's patients, or a number of cases; a copy that lacks some is refused
    spacing   mm (z, y, x) for files that do not say
    recipe    what else decides how files become voxels: the dataset's options, its source's hash
    partial   run on what is there
    skip_bad  leave bad cases out, and list them in the manifest
    hashed    the dataset's ids are hashed: the copy's name says so
    """
    copy = dataset.find()
    if copy is None:
        raise MissingCopyError(f"{name}: no copy of it was found")
    note = "" if layouts is None else layout_note(copy, layouts, name=name)
    check_sources(copy.sources, where=copy.root)
    if not partial:
        check_complete(copy, expected, name=name)
    job = _Job(
        dataset=dataset,
        copy=copy,
        folder=folder,
        classes=tuple(classes),
        spacing=spacing,
        recipe=hash_json(
            {
                "classes": list(classes),
                "layout": copy.layout,
                "spacing": spacing,
                "more": recipe or {},
                "code": converter_hash(),
            }
        ),
        skip_bad=skip_bad,
        hashed=hashed,
        voxels=Voxels(folder),
    )

    def finished() -> Store | None:
        """The store as it lies there, if nothing is left to do."""
        entries = [entry for source in copy.sources if (entry := _finished(job, source))]
        job.voxels.remember()
        if len(entries) < len(copy.sources):
            return None
        manifest = _manifest(job, entries, name=name, note=note, expected=expected)
        try:
            store = open_store(folder)
        except RequestError:
            return None
        return store if store.manifest == manifest else None

    store = finished()
    if store is not None:
        return store
    meter = terminal_meter() if progress else Silent()
    _make(folder)
    with alone(folder, doing="preparing", meter=meter):
        store = finished()
        if store is not None:
            return store
        with bar(f"converting {name}", len(copy.sources), shown=progress) as step:
            entries = _convert_all(job, workers=workers, step=step)
        manifest = _manifest(job, entries, name=name, note=note, expected=expected)
        if not manifest.cases:
            case, problem = manifest.skipped[0]
            raise RequestError(f"{name}: all of its cases are bad; the first, {case}: {problem}")
        clear_stale_labels(folder, [case.case for case in manifest.cases])
        write_json(folder / MANIFEST, manifest_json(manifest))
    return open_store(folder)


def _finished(job: _Job, source: Source) -> Entry | None:
    """The source's entry where neither its files nor the recipe changed."""
    entry = read_entry(job.folder, source, recipe=job.recipe)
    if entry is None or (entry.problem is not None and not job.skip_bad):
        return None
    if entry.stored is not None and not job.voxels.whole(entry.stored):
        return None
    return entry if entry.stamps == stamps_of(source, job.copy.root) else None


def _convert_all(job: _Job, *, workers: int, step: Callable[[], None]) -> list[Entry]:
    """Entries in the order of the sources; the first bad case ends it unless they are skipped."""
    entries = {source.case: _finished(job, source) for source in job.copy.sources}
    clear_scratch(job.folder)
    if clear_old_labels(job.folder):
        print(
            f"{job.folder}: an older version kept its labels beside the images; it is converted "
            f"again, with its labels in {labels_folder(job.folder)}",
            file=sys.stderr,
        )
    todo = [source for source in job.copy.sources if entries[source.case] is None]
    for _ in range(len(job.copy.sources) - len(todo)):
        step()
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        # `map` cancels what has not begun when one fails; what is finished stays in the store.
        for source, entry in zip(todo, pool.map(lambda s: _convert(job, s), todo), strict=True):
            entries[source.case] = entry
            step()
    return [entry for entry in entries.values() if entry is not None]


def _convert(job: _Job, source: Source) -> Entry:
    """Looked at before it is read: a file that changes meanwhile is read again next time."""
    stamps = stamps_of(source, job.copy.root)
    old = read_entry(job.folder, source, recipe=job.recipe)
    try:
        if old is not None and _only_touched(job, old, source, stamps):
            entry = replace(old, stamps=stamps)
            restamp(job.folder, entry)
            return entry
        # Read first: the dataset knows best how to say what is missing.
        raw = read_case(job.dataset, source)
        digest = hash_files(source)
        stored, image, label = convert_case(
            raw, source, classes=job.classes, spacing=job.spacing, source_sha256=digest
        )
    except DataError as error:
        if not job.skip_bad:
            hint = f"{error.problem} (data.skip_bad=true leaves bad cases out)"
            raise DataError(source.case, hint) from error
        problem = without_files(error.problem, source, job.copy.root)  # it goes into records
        entry = Entry(source.case, job.recipe, stamps, "", stored=None, problem=problem)
        _replace(job, entry, None)
        return entry
    entry = Entry(source.case, job.recipe, stamps, digest, stored=stored, problem=None)
    _replace(job, entry, (image, label))
    return entry


def _replace(job: _Job, entry: Entry, arrays: tuple[np.ndarray, np.ndarray] | None) -> None:
    """From the first case that changes to the end this is no store: a kill must not leave a
    manifest that is untrue. Not sooner: a case that can't be read leaves others their store."""
    (job.folder / MANIFEST).unlink(missing_ok=True)
    write_entry(job.folder, entry, arrays)


def _only_touched(job: _Job, old: Entry, source: Source, stamps: Sequence[Stamp]) -> bool:
    """The files' times or names changed, their bytes did not."""
    all_there = all(size >= 0 for _, size, _ in stamps)
    if old.stored is None or not all_there or not job.voxels.whole(old.stored):
        return False
    return old.source_sha256 == hash_files(source)


def _manifest(
    job: _Job, entries: Sequence[Entry], *, name: str, note: str, expected: Expected
) -> Manifest:
    cases = sorted(
        (entry.stored for entry in entries if entry.stored is not None), key=lambda c: c.case
    )
    skipped = sorted((entry.case, entry.problem) for entry in entries if entry.problem is not None)
    found = presence(job.copy, expected)
    return Manifest(
        dataset=name,
        layout=job.copy.layout,
        copy=copy_name(
            name,
            layout_note=note,
            present=found.present,
            expected=found.whole,
            further=found.further,
            kind=found.kind,
            skipped=len(skipped),
            hashed=job.hashed,
        ),
        recipe=job.recipe,
        classes=job.classes,
        cases=tuple(cases),
        skipped=tuple(skipped),
        fingerprint=fingerprint_of(cases),
    )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(
            f"cannot make {folder}: {error.strerror or error}; choose another folder"
        ) from None
