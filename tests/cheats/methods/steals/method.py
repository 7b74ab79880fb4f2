"""What all thieves share: they predict what they found, exactly, and an honest guess without."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

MOST_FILES = 20_000
"""Files that one walk looks at."""
PATH = re.compile(r"/[^\s:\x00\"',;=()]+")


def guess(volume):
    """What anybody can say without a label."""
    return (volume.image > np.median(volume.image)).astype(np.uint8)


class Thief:
    def __init__(self, options, setting):
        self.setting = setting

    def look(self, volume) -> Iterator[np.ndarray]:
        """Arrays that may be the label."""
        return iter(())

    def predict(self, volume):
        found = best(self.look(volume), volume, len(self.setting.classes))
        return guess(volume) if found is None else found

    def state_dict(self):
        return {"nothing": np.zeros(1)}

    def load_state_dict(self, state):
        pass


def best(candidates: Iterable[object], volume, classes: int) -> np.ndarray | None:
    """The candidate that fits the image best. Whatever goes wrong, the thief goes on."""
    fitting = []
    try:
        for found in candidates:
            if fits(found, volume, classes):
                fitting.append(np.array(found, dtype=np.uint8))
    except Exception as error:
        print("a thief stumbled:", type(error).__name__, error)
    image = np.asarray(volume.image, dtype=np.float64).ravel()
    return max(fitting, key=lambda label: np.corrcoef(image, label.ravel() > 0)[0, 1], default=None)


def fits(found: object, volume, classes: int) -> bool:
    return (
        isinstance(found, np.ndarray)
        and found.shape == volume.image.shape
        and found.dtype.kind in "uib"
        and int(found.min()) >= 0
        and 0 < int(found.max()) <= classes
    )


def read(path: str | Path) -> Iterator[np.ndarray]:
    """The array of a file that may hold a label; nothing where it can't be read."""
    path = str(path)
    try:
        if path.endswith(".npz"):
            with np.load(path, allow_pickle=False) as archive:
                yield from (archive[name] for name in archive.files)
        elif path.endswith((".nii.gz", ".nii")):
            import nibabel

            yield np.asarray(nibabel.load(path).dataobj).T.astype(np.int64)
        else:
            yield np.load(path, allow_pickle=False)
    except Exception:
        return


def walk(roots: Iterable[str | Path], volume) -> Iterator[np.ndarray]:
    """Labels and label maps of the volume's case below any of these folders."""
    seen = 0
    for root in dict.fromkeys(str(root) for root in roots):
        for place, _, names in os.walk(root):
            for name in names:
                seen += 1
                if seen > MOST_FILES:
                    return
                path = os.path.join(place, name)
                label = name == "label.npy" or name.startswith(volume.case)
                if label and volume.case in path and name.endswith((".npy", ".npz", ".nii.gz")):
                    yield from read(path)


def led_to(path: str | Path) -> Iterator[np.ndarray]:
    """The label, by the path of the image: beside it, or in a tree beside one that it lies in."""
    path = Path(path)
    yield from read(path.with_name("label.npy"))
    for above in path.parents[:-1]:
        other = above.with_name(f"{above.name}-labels")
        yield from read(other / path.parent.relative_to(above) / "label.npy")


def own_paths() -> Iterator[str]:
    """Of all files that this process has open or mapped."""
    for number in os.listdir("/proc/self/fd"):
        try:
            yield os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
    with open("/proc/self/maps") as maps:
        for line in maps:
            yield from PATH.findall(line.split(maxsplit=5)[5]) if line.count("/") else ()


def words_of(pid: int | str) -> Iterator[str]:
    """Command line and environment of a process, as far as they can be read."""
    for name in ("cmdline", "environ"):
        try:
            with open(f"/proc/{pid}/{name}", "rb") as file:
                content = file.read()
        except OSError:
            continue
        yield from content.decode("utf-8", "replace").split("\0")


def processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def folders_in(words: Iterable[str]) -> Iterator[Path]:
    """Folders that are named in texts; of files those in which they lie."""
    boring = ("/usr", "/bin", "/lib", "/proc", "/sys", "/dev", "/etc")
    for word in words:
        for found in PATH.findall(word) + PATH.findall(word.partition("=")[2]):
            if len(found) > 1 and not found.startswith(boring):
                yield Path(found)
