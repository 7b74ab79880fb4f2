"""What a store says about itself: `manifest.json`, and one `case.json` a case."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from bench.contract import Spacing
from bench.record.whole import whole

FORMAT = 2
"""2: labels in a tree of their own. A store of another format is converted again."""
MANIFEST = "manifest.json"

SpacingSource = Literal["file", "card", "unknown"]


@dataclass(frozen=True)
class StoredCase:
    """One converted case.

    shape           (D, H, W)
    spacing         mm (z, y, x), rounded to 1e-6; (1, 1, 1) where its source is "unknown"
    dtype           of the image: "float16" where that is exact, else "float32"
    sha256          of the canonical image and label bytes, dtype, shape and spacing
    source_sha256   of the source files, "" for a generated case
    foreground      slices (indices along D) that show any class
    labelled        slices in which any voxel is labelled, background included
    classes         names of the classes that occur
    affine          voxel (z, y, x) index -> world mm, 4x4, or None
    """

    case: str
    patient: str
    site: str | None
    shape: tuple[int, int, int]
    spacing: Spacing
    spacing_source: SpacingSource
    dtype: Literal["float16", "float32"]
    sha256: str
    source_sha256: str
    foreground: tuple[int, ...]
    labelled: tuple[int, ...]
    classes: tuple[str, ...]
    affine: tuple[tuple[float, ...], ...] | None


@dataclass(frozen=True)
class Manifest:
    """A whole store.

    copy         the board's name of this copy: "promise12", "la2018, h5 crop, 30 of 100 cases"
    recipe       hash of all that decides how sources become voxels; not part of the fingerprint
    classes      all classes of the dataset, label value = place + 1
    skipped      (case, reason) of bad cases that were left out on request
    fingerprint  hash of the sorted (case, patient, sha256): the same on every machine and path
    """

    dataset: str
    layout: str
    copy: str
    recipe: str
    classes: tuple[str, ...]
    cases: tuple[StoredCase, ...]
    skipped: tuple[tuple[str, str], ...]
    fingerprint: str

    @property
    def spacing(self) -> SpacingSource:
        """Where spacings come from; the least certain source of all cases."""
        sources = {case.spacing_source for case in self.cases}
        if "unknown" in sources:
            return "unknown"
        return "card" if "card" in sources else "file"


def fingerprint_of(cases: Iterable[StoredCase]) -> str:
    rows = sorted((case.case, case.patient, case.sha256) for case in cases)
    return hash_json(rows)


def hash_json(value: Any) -> str:
    """sha256 of the canonical JSON: neither key order nor line breaks change it."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def case_json(case: StoredCase) -> dict[str, Any]:
    return asdict(case)


def case_from_json(content: Mapping[str, Any]) -> StoredCase:
    """The inverse of `case_json`. KeyError, TypeError or ValueError where it was changed."""
    affine = content["affine"]
    depth, height, width = (int(n) for n in content["shape"])
    return StoredCase(
        **{
            **content,
            "shape": (depth, height, width),
            "spacing": tuple(float(mm) for mm in content["spacing"]),
            "foreground": tuple(content["foreground"]),
            "labelled": tuple(content["labelled"]),
            "classes": tuple(content["classes"]),
            "affine": None if affine is None else tuple(tuple(row) for row in affine),
        }
    )


def manifest_json(manifest: Manifest) -> dict[str, Any]:
    return {"format": FORMAT, **asdict(manifest)}


def manifest_from_json(content: Mapping[str, Any]) -> Manifest:
    """The inverse of `manifest_json`. KeyError, TypeError or ValueError where it was changed."""
    fields = dict(content)
    if fields.pop("format") != FORMAT:
        raise ValueError("another format")
    cases = tuple(case_from_json(case) for case in fields["cases"])
    if fields["fingerprint"] != fingerprint_of(cases):
        raise ValueError("fingerprint")
    skipped = tuple((case, reason) for case, reason in fields["skipped"])
    return Manifest(
        **{**fields, "classes": tuple(fields["classes"]), "cases": cases, "skipped": skipped}
    )


def write_json(path: Path, content: Mapping[str, Any] | Sequence[Any]) -> None:
    """Atomic: a reader sees the old file, or the whole new one."""
    with whole(path, lasting=True) as scratch:
        scratch.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")
