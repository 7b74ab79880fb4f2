"""A case's place in a store that is being made: is it finished, and how it is put there."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.contract import Source
from bench.data.manifest import MANIFEST, StoredCase, case_from_json, case_json, write_json
from bench.data.sources import Stamp
from bench.data.store import (
    CASE,
    IMAGE,
    LABEL,
    find_damage,
    label_path,
    labels_folder,
    safe_name,
)
from bench.errors import RequestError

SCRATCH = re.compile(r"\..+\.\d+(-[0-9a-f]+)?\.(tmp|old)")


@dataclass(frozen=True)
class Entry:
    """What `case.json` holds: a converted case, or what is wrong with a bad one.

    recipe  what decided how the sources became voxels
    stamps  what the source files looked like then
    """

    case: str
    recipe: str
    stamps: tuple[Stamp, ...]
    source_sha256: str
    stored: StoredCase | None
    problem: str | None


def read_entry(folder: Path, source: Source, *, recipe: str) -> Entry | None:
    """The finished case of a source, or None where it must be done, or done again."""
    path = folder / safe_name(source.case) / CASE
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        entry = Entry(
            case=source.case,
            recipe=content["recipe"],
            stamps=tuple((name, size, changed) for name, size, changed in content["stamps"]),
            source_sha256=content["source_sha256"],
            stored=None if content["stored"] is None else case_from_json(content["stored"]),
            problem=content["problem"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # absent or damaged: both mean that the case is to be converted
    if (entry.stored is None) == (entry.problem is None):
        return None
    if entry.recipe != recipe or content["case"] != source.case:
        return None
    if entry.stored is not None:
        named = (entry.stored.case, entry.stored.patient, entry.stored.site)
        if named != (source.case, source.patient, source.site):
            return None
        if find_damage(folder, entry.stored) is not None:
            return None
    return entry


def write_entry(folder: Path, entry: Entry, arrays: tuple[np.ndarray, np.ndarray] | None) -> None:
    """Put a case in its place, whole or not at all. `arrays`: image and label of a good one.

    The label first: its case is finished once case.json is there, and a kill between the two leaves
    an old case.json, whose hash or size the new label does not have."""
    name = safe_name(entry.case)
    label = label_path(folder, entry.case)
    scratch = folder / f".{name}.{os.getpid()}.tmp"
    at = label.parent
    try:
        if arrays is None:
            shutil.rmtree(label.parent, ignore_errors=True)
        else:
            _write_label(label, arrays[1])
        at = folder / name
        scratch.mkdir(parents=True)
        if arrays is not None:
            np.save(scratch / IMAGE, arrays[0])
        write_json(scratch / CASE, _content(entry))
        _swap(scratch, folder / name)
    except OSError as error:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(label.parent, ignore_errors=True)
        raise RequestError(
            f"cannot write {at}: {error.strerror or error}; make room, or choose another folder"
        ) from error


def _write_label(path: Path, label: np.ndarray) -> None:
    """Atomic. Readers that mapped the old file keep it."""
    scratch = path.parent.with_name(f".{path.parent.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            np.save(file, label)
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def restamp(folder: Path, entry: Entry) -> None:
    """The files were touched but are the same: remember how they look now."""
    write_json(folder / safe_name(entry.case) / CASE, _content(entry))


def clear_scratch(folder: Path) -> None:
    """What a killed run left behind, in both trees. Only under the store's lock."""
    for path in (*_inside(folder), *_inside(labels_folder(folder))):
        if SCRATCH.fullmatch(path.name):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def clear_old_labels(folder: Path) -> bool:
    """Those that an older version kept beside the images; whether there were any. Only under the
    store's lock."""
    beside = [path / LABEL for path in _inside(folder) if (path / LABEL).is_file()]
    for path in beside:
        path.unlink()
    return bool(beside)


def clear_stale_labels(folder: Path, cases: Iterable[str]) -> None:
    """Labels of other cases than `cases`: this is no store meanwhile. Only under its lock."""
    names = {safe_name(case) for case in cases}
    stale = [path for path in _inside(labels_folder(folder)) if path.name not in names]
    if stale:
        (folder / MANIFEST).unlink(missing_ok=True)
    for path in stale:
        shutil.rmtree(path)


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _content(entry: Entry) -> dict[str, Any]:
    return {
        "case": entry.case,
        "recipe": entry.recipe,
        "stamps": [list(stamp) for stamp in entry.stamps],
        "source_sha256": entry.source_sha256,
        "stored": None if entry.stored is None else case_json(entry.stored),
        "problem": entry.problem,
    }


def _swap(scratch: Path, target: Path) -> None:
    """Readers that mapped the old files keep them."""
    if target.exists():
        old = scratch.with_suffix(".old")
        os.replace(target, old)
        os.replace(scratch, target)
        shutil.rmtree(old)
    else:
        os.replace(scratch, target)
