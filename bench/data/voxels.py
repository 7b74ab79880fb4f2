"""Are a store's voxels still those that were converted? A file is read for that once, and again
where it looks different: an edited, flipped or half-lost file of the right size is found."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.convert import voxel_hash
from bench.data.manifest import StoredCase, write_json
from bench.data.store import image_path, label_path


class Voxels:
    """What was looked at lies beside the store: case -> the hash that was found, and how image and
    label looked then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._note = folder.with_name(f"{folder.name}-checked.json")
        self._known = self._read()
        self._said: set[str] = set()

    def whole(self, case: StoredCase) -> bool:
        """Says so, once, where they are not."""
        looks = [self._look(path) for path in self._files(case)]
        if self._known.get(case.case) == [case.sha256, *looks]:
            return True
        if self._hash(case) == case.sha256:
            self._known[case.case] = [case.sha256, *looks]
            return True
        if case.case not in self._said:
            self._said.add(case.case)
            print(
                f"case {case.case}: its voxels in {self.folder} are not those that were "
                "converted; it is converted again",
                file=sys.stderr,
            )
        return False

    def remember(self) -> None:
        """For the next time. A store that may only be read is looked at each time."""
        if self._known != self._read():
            with contextlib.suppress(OSError):
                write_json(self._note, self._known)

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self._note.read_bytes())
        except (OSError, ValueError):
            return {}  # nothing was looked at, as far as anybody knows
        return content if isinstance(content, dict) else {}

    def _files(self, case: StoredCase) -> tuple[Path, Path]:
        """Image and label."""
        return image_path(self.folder, case.case), label_path(self.folder, case.case)

    def _look(self, path: Path) -> list[int]:
        facts = path.stat()
        return [facts.st_size, facts.st_mtime_ns, facts.st_ino]

    def _hash(self, case: StoredCase) -> str | None:
        """None for files that hold no such arrays."""
        try:
            image, label = (
                np.load(path, mmap_mode="r", allow_pickle=False) for path in self._files(case)
            )
        except (OSError, ValueError, EOFError):
            return None
        if (image.shape, image.dtype) != (case.shape, case.dtype) or (
            (label.shape, label.dtype) != (case.shape, "uint8")
        ):
            return None
        return voxel_hash(image, label, case.spacing)
