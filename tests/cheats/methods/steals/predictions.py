"""What other units left in the results folder: the label maps of one that had the labels."""

from __future__ import annotations

from pathlib import Path

from .method import Thief, own_paths, processes, walk, words_of


class Method(Thief):
    def look(self, volume):
        logs = [Path(path) for path in own_paths() if path.endswith(".log")]
        words = [word for pid in processes() for word in words_of(pid)]
        named = [Path(word[8:]) for word in words if word.startswith("results=")]
        results = [*(log.parent.parent for log in logs), *named]
        yield from walk([folder / "predictions" for folder in results], volume)
