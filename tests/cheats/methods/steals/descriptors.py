"""All that its process holds open, opened once more; and what lies around it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from .method import PATH, Thief, folders_in, led_to, walk


class Method(Thief):
    def look(self, volume):
        for number in [*range(64), *os.listdir("/proc/self/fd")]:
            link = f"/proc/self/fd/{number}"
            yield from _held(link)
            try:
                path = os.readlink(link)
            except OSError:
                continue
            if path.endswith(".npy"):
                yield from led_to(path)
            yield from _told(link, volume)
            if PATH.fullmatch(path) and Path(path).parent.name == "logs":
                yield from walk([Path(path).parent.parent], volume)


def _held(link: str):
    """The array in a file that is open already."""
    try:
        descriptor = os.open(link, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return
    try:
        with open(descriptor, "rb") as file:
            yield np.load(file, allow_pickle=False)
    except Exception:
        return


def _told(link: str, volume):
    """Folders that are named in what was written there: the log, or the unit's description."""
    try:
        descriptor = os.open(link, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return
    try:
        text = os.read(descriptor, 10**6).decode("utf-8", "replace")
    except OSError:
        return
    finally:
        os.close(descriptor)
    yield from walk(folders_in([text]), volume)
