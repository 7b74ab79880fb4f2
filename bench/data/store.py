"""The volume store: arrays that are opened, never decoded. Needs numpy alone.

    <store>/manifest.json           written last: a folder without it is not a store
    <store>/<case>/image.npy        (D, H, W) float16 or float32
    <store>/<case>/case.json        facts of the case, and what its source files looked like
    <store>-labels/<case>/label.npy (D, H, W) uint8

The labels are a tree of their own: nothing beside an image leads to its label, and a process can be
given the images without the labels. A slice is one contiguous run of bytes, so reading it costs a
page or two of the system's cache.
"""

from __future__ import annotations

import errno
import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import numpy as np

from bench.contract import Volume
from bench.data.manifest import MANIFEST, Manifest, StoredCase, manifest_from_json
from bench.errors import DataError, RequestError, unknown

IMAGE, LABEL, CASE = "image.npy", "label.npy", "case.json"
LONGEST_NAME = 120


@dataclass(frozen=True)
class Store:
    folder: Path
    manifest: Manifest

    @cached_property
    def cases(self) -> Mapping[str, StoredCase]:
        return {case.case: case for case in self.manifest.cases}

    def volume(self, case: str, *, with_label: bool) -> Volume:
        """Read-only views of the files; without its label where the reader has no right to it."""
        stored = self._stored(case)
        return Volume(
            case=stored.case,
            patient=stored.patient,
            image=self._array(stored, self.image_file(case), stored.dtype),
            spacing=stored.spacing,
            label=self._array(stored, self.label_file(case), "uint8") if with_label else None,
            labelled_slices=stored.labelled if with_label else (),
        )

    def image(self, case: str) -> np.ndarray:
        """(D, H, W) float16 or float32, read-only."""
        stored = self._stored(case)
        return self._array(stored, self.image_file(case), stored.dtype)

    def image_file(self, case: str) -> Path:
        """The .npy file of `image`, for who hands it on as an open file."""
        return image_path(self.folder, self._stored(case).case)

    def label_file(self, case: str) -> Path:
        """(D, H, W) uint8, in the labels' own tree."""
        return label_path(self.folder, self._stored(case).case)

    def _stored(self, case: str) -> StoredCase:
        if case not in self.cases:
            raise unknown(f"case of {self.manifest.dataset}", case, self.cases)
        return self.cases[case]

    def _array(self, stored: StoredCase, path: Path, dtype: str) -> np.ndarray:
        try:
            array = _map(path)
        except FileNotFoundError:
            raise DataError(stored.case, f"{path} is missing; {mend(self.folder)}") from None
        except (ValueError, EOFError):
            raise DataError(stored.case, f"{path} is cut off; {mend(self.folder)}") from None
        except OSError as error:
            raise DataError(stored.case, f"{path}: {error.strerror or error}") from None
        if array.shape != stored.shape or array.dtype != dtype:
            found = f"{array.dtype} {array.shape}, not {dtype} {stored.shape}"
            raise DataError(stored.case, f"{path} is {found}; {mend(self.folder)}")
        return array


def labels_folder(folder: Path) -> Path:
    """Where the labels of the store in `folder` lie."""
    return folder.with_name(f"{folder.name}-labels")


def image_path(folder: Path, case: str) -> Path:
    return folder / safe_name(case) / IMAGE


def label_path(folder: Path, case: str) -> Path:
    return labels_folder(folder) / safe_name(case) / LABEL


def open_store(folder: Path) -> Store:
    """The store in `folder`, with every file's size looked at; no voxel is read."""
    path = folder / MANIFEST
    try:
        manifest = manifest_from_json(json.loads(path.read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        raise RequestError(f"{folder} holds no finished store; run `prepare`") from None
    except OSError as error:
        raise RequestError(f"{path}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError):
        raise RequestError(f"{path} is damaged, or of another version; {mend(folder)}") from None
    for case in manifest.cases:
        problem = find_damage(folder, case)
        if problem is not None:
            raise DataError(case.case, f"{problem}; {mend(folder)}")
    return Store(folder, manifest)


def find_damage(folder: Path, case: StoredCase) -> str | None:
    """What is wrong with a stored case's files, as far as names and sizes tell."""
    voxels = case.shape[0] * case.shape[1] * case.shape[2]
    image, label = image_path(folder, case.case), label_path(folder, case.case)
    for path, width in ((image, np.dtype(case.dtype).itemsize), (label, 1)):
        try:
            size = path.stat().st_size
        except OSError:
            return f"{path} is missing"
        # The header of a .npy file is a multiple of 64 bytes, and always 128 for three axes.
        if size != voxels * width + 128:
            return f"{path} is cut off or changed: {size} bytes, not {voxels * width + 128}"
    return None


def mend(folder: Path) -> str:
    return f"delete the folders {folder} and {labels_folder(folder)}, or run `prepare` again"


def safe_name(case: str) -> str:
    """A folder name for a case id: other ids have other names, whatever the file system forbids."""
    raw = case.encode("utf-8", "surrogateescape")  # a file's name may be no text
    name = quote(raw, safe="")
    if name.startswith("."):
        name = "%2E" + name[1:]
    if len(name) > LONGEST_NAME:
        name = f"{name[:LONGEST_NAME]}%{hashlib.sha256(raw).hexdigest()[:16]}"
    return name


def _map(path: Path) -> np.ndarray:
    """The file as a read-only array. A sweep may hold more files open than a shell allows."""
    try:
        return _load(path)
    except OSError as error:
        if error.errno != errno.EMFILE or not _allow_more_files():
            raise
    return _load(path)


def _load(path: Path) -> np.ndarray:
    # A plain view: the subclass memmap costs a call into Python for every slice taken.
    return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)


def _allow_more_files() -> bool:
    """Raise the soft limit of open files to the hard one, which every process may do."""
    if sys.platform == "win32":
        return False
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return False
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return True
