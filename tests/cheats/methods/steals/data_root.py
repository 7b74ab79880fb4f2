"""The user's own folder: its path is in a command line, or in the environment."""

from __future__ import annotations

import os
import sys

from .method import Thief, folders_in, processes, walk, words_of


class Method(Thief):
    def look(self, volume):
        words = [*sys.argv, *os.environ.values()]
        for pid in processes():
            words.extend(word for word in words_of(pid) if "root=" in word or "cache=" in word)
        named = [word for word in words if "root=" in word or "cache=" in word]
        yield from walk(folders_in(named), volume)
        yield from walk(folders_in(words), volume)
