"""A dataset of .npy files whose every read is written down, for tests of preparing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.contract import Copy, RawCase, Source
from bench.errors import DataError


@dataclass(frozen=True)
class Files:
    """<case>.npy and <case>-label.npy; every read is written down in read.log.

    many    the last letter of a case's name tells the scans of one patient apart
    before  called with the case's name before it is read
    """

    root: Path
    layout: str = "official"
    many: bool = False
    before: Callable[[str], object] = str

    def find(self) -> Copy | None:
        if not self.root.is_dir():
            return None
        images = sorted(p for p in self.root.glob("*.npy") if "-" not in p.stem)
        return Copy(self.layout, self.root, tuple(self._source(p) for p in images))

    def _source(self, image: Path) -> Source:
        case = image.stem
        label = image.with_name(f"{case}-label.npy")
        return Source(case, case[:-1] if self.many else case, (image, label))

    def read(self, source: Source) -> RawCase:
        self.before(source.case)
        with (self.root / "read.log").open("a") as log:
            log.write(source.case + " ")
        image, label = source.files
        if not label.is_file():
            raise DataError(source.case, f"{label.name} is missing")
        return RawCase(np.load(image), np.load(label), (3.0, 1.0, 1.0))


def write_case(root: Path, case: str, *, seed: int | None = None) -> None:
    rng = np.random.default_rng(sum(map(ord, case)) if seed is None else seed)
    root.mkdir(exist_ok=True)
    np.save(root / f"{case}.npy", rng.normal(size=(3, 8, 8)))
    np.save(root / f"{case}-label.npy", (rng.random((3, 8, 8)) > 0.5).astype(np.uint8))


def reads(root: Path) -> str:
    """Cases in the order in which they were read since the last call."""
    log = root / "read.log"
    text = log.read_text().strip() if log.exists() else ""
    log.unlink(missing_ok=True)
    return text.replace(" ", "")
