"""The folders of whoever ran a unit, taken out of what its record says."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping

from bench.errors import one_line
from bench.registry import ROOT
from bench.unit.spec import Unit


def folders_of(unit: Unit) -> dict[str, str]:
    """Absolute folder -> the word for it, with links followed and not."""
    named = [
        (_temporary(), "tmp"),
        (os.path.expanduser("~"), "~"),
        (str(ROOT), "code"),
        *((path, "include") for path in unit.include),
        (os.path.expanduser(unit.cache or "~"), "cache" if unit.cache else "~"),
        *((source.store, "store") for source in unit.others),
        (unit.store, "store"),
        (unit.results, "results"),
    ]
    return {
        folder: word
        for path, word in named
        for folder in (path, os.path.abspath(path), os.path.realpath(path))
        if os.path.isabs(folder) and folder.strip("/")  # in some containers home is "/"
    }


def _temporary() -> str:
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:  # all of them are full, of which the unit is yet to say
        return "/tmp"


def without_folders(text: str, folders: Mapping[str, str]) -> str:
    """`text` with each folder replaced by its word, longer ones first: `results/states/KEY`.

    A reason is cut to some length. Where that leaves the beginning of a folder at its end, it goes.
    """
    words = {
        one_line(" ".join(spelled.split())): word  # as a reason has it
        for folder, word in folders.items()
        for spelled in (folder, repr(folder)[1:-1])  # as the system's errors have it
    }
    longest = sorted(words, key=len, reverse=True)
    pattern = "|".join(map(re.escape, longest))
    # /home/al is not in /home/alice, and /home/alice not in /home/alice-2
    text = re.sub(rf"(?:{pattern})(?!\w|[.-]\w)", lambda match: words[match.group()], text)
    for folder in longest:
        for end in range(len(folder) - 1, 2, -1):
            if text.endswith(folder[:end]):
                return text.removesuffix(folder[:end]) + "…"
    return text
