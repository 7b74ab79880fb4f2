"""A dataset's `split.json`: who trains, who tests, and in which order patients join the support.

    {"format": 1, "dataset": "promise12", "default": "ours",
     "sites":  {"Case00": "BIDMC", ...},                      optional
     "splits": {"ours": {"source": "...", "train": [...], "val": [], "test": [...]}, ...},
     "draws":  {"0": {"split": "ours", "source": "...", "patients": [...], "slices": [],
                      "foreground": false}, ...},
     "sha256": "..."}

`docs/splits.md` says what each key means. A dataset with variants keeps one such object for each of
them in one file: {"format": 1, "books": {"msd_heart": {...}, ...}}.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import RequestError, unknown

FORMAT = 1


@dataclass(frozen=True)
class Split:
    """One partition of the patients. `val` may be empty; nobody is in two parts."""

    name: str
    source: str
    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]

    @property
    def patients(self) -> tuple[str, ...]:
        return self.train + self.val + self.test


@dataclass(frozen=True)
class Draw:
    """An order in which training patients, or labelled slices, join the support.

    patients    shots=n takes the first n; may be shorter than the split's `train`, or empty
    slices      (case, index along D); shots="20s" takes the first 20. Empty: drawn by our rule
    foreground  every listed slice shows a class, which a copy of another grid would contradict
    """

    name: str
    split: str
    source: str
    patients: tuple[str, ...]
    slices: tuple[tuple[str, int], ...] = ()
    foreground: bool = False


@dataclass(frozen=True)
class SplitBook:
    """All splits and draws of one dataset. `default` is the split of the numbered draws."""

    dataset: str
    default: str
    splits: Mapping[str, Split]
    draws: Mapping[str, Draw]
    sites: Mapping[str, str]

    def draw(self, name: str) -> Draw:
        if name not in self.draws:
            raise unknown(f"draw of {self.dataset}", name, self.draws)
        return self.draws[name]

    def split_of(self, draw: str) -> Split:
        return self.splits[self.draw(draw).split]

    def missing(self, draw: str, present: Mapping[str, Any]) -> tuple[str, ...]:
        """Patients of the draw's split that a copy lacks, sorted."""
        return tuple(sorted(set(self.split_of(draw).patients) - set(present)))

    @property
    def sha256(self) -> str:
        """Hash of the whole content, stored in the file and checked when it is read."""
        return content_hash(to_json(self))


def content_hash(content: Mapping[str, Any]) -> str:
    """sha256 of the canonical JSON, so that neither key order nor line breaks change it."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def to_json(book: SplitBook) -> dict[str, Any]:
    """The file's content without its hash. A slice is written "case:index"."""
    return {
        "format": FORMAT,
        "dataset": book.dataset,
        "default": book.default,
        "sites": dict(sorted(book.sites.items())),
        "splits": {
            split.name: {
                "source": split.source,
                "train": list(split.train),
                "val": list(split.val),
                "test": list(split.test),
            }
            for split in book.splits.values()
        },
        "draws": {
            draw.name: {
                "split": draw.split,
                "source": draw.source,
                "patients": list(draw.patients),
                "slices": [f"{case}:{index}" for case, index in draw.slices],
                "foreground": draw.foreground,
            }
            for draw in book.draws.values()
        },
    }


def check_book(book: SplitBook) -> SplitBook:
    """The book itself, or a RequestError that names the first thing that contradicts itself."""

    def wrong(problem: str) -> RequestError:
        return RequestError(f"split of {book.dataset}: {problem}")

    if book.default not in book.splits:
        raise wrong(f"the default split {book.default!r} is not among {', '.join(book.splits)}")
    for split in book.splits.values():
        seen: set[str] = set()
        for patient in split.patients:
            if patient in seen:
                raise wrong(f"patient {patient} is listed twice in split {split.name!r}")
            seen.add(patient)
        for part in ("train", "test"):
            if not getattr(split, part):
                raise wrong(f"split {split.name!r} has no {part} patient")
    for draw in book.draws.values():
        if draw.split not in book.splits:
            raise wrong(f"draw {draw.name!r} names an unknown split {draw.split!r}")
        if not draw.patients and not draw.slices:
            raise wrong(f"draw {draw.name!r} lists neither patients nor slices")
        for entries in (draw.patients, draw.slices):
            if len(set(entries)) < len(entries):
                raise wrong(f"draw {draw.name!r} lists something twice")
        strangers = set(draw.patients) - set(book.splits[draw.split].train)
        if strangers:
            raise wrong(f"draw {draw.name!r} has {min(strangers)}, who is no training patient")
    return book
