"""All that /proc tells of other processes: the harness', the scorer's, anybody's."""

from __future__ import annotations

import os

from .method import Thief, folders_in, led_to, processes, read, walk, words_of


class Method(Thief):
    def look(self, volume):
        words = []
        for pid in processes():
            yield from _open_files(pid, volume)
            words.extend(words_of(pid))
            yield from _mapped(pid, volume)
            for link in ("cwd", "root"):
                yield from walk([f"/proc/{pid}/{link}/results"], volume)
        yield from walk(folders_in(sorted(words, key=lambda word: "root=" not in word)), volume)


def _open_files(pid: int, volume):
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return
    for number in numbers:
        link = f"/proc/{pid}/fd/{number}"
        try:
            path = os.readlink(link)
        except OSError:
            continue
        if path.partition(" ")[0].endswith(".npy"):
            yield from read(link)
            if volume.case in path:
                yield from led_to(path)


def _mapped(pid: int, volume):
    try:
        with open(f"/proc/{pid}/maps") as maps:
            files = {line.split(maxsplit=5)[-1].strip() for line in maps if ".npy" in line}
    except OSError:
        return
    for path in files:
        yield from read(path)
        yield from read(f"/proc/{pid}/root{path}")
        if volume.case in path:
            yield from led_to(path)
