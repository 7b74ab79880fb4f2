"""Arguments of the verbs that need no Hydra: plain words, `key=value`, and flags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import RequestError, unknown


@dataclass(frozen=True)
class Words:
    plain: tuple[str, ...]
    keys: dict[str, str]
    flags: frozenset[str]

    def folder(self, key: str, default: str) -> Path:
        return Path(self.keys.get(key, default)).expanduser()

    def results(self) -> Path:
        """Where the records are. One that was named and is not there is a slip of the hand, and
        would look like a folder without records."""
        found = self.folder("results", "results")
        if "results" in self.keys and not found.is_dir():
            raise RequestError(f"results={found}: there is no such folder")
        return found


def read_words(
    arguments: Sequence[str], *, keys: Iterable[str] = (), flags: Iterable[str] = ()
) -> Words:
    """Sorts the arguments; an unknown key or flag is an error that names the nearest one."""
    known, known_flags = list(keys), list(flags)
    plain: list[str] = []
    found: dict[str, str] = {}
    raised: set[str] = set()
    for word in arguments:
        key, equals, value = word.partition("=")
        if word.startswith("-"):
            if word not in known_flags:
                raise unknown("flag", word, [*known_flags, "--help", "--include"])
            raised.add(word)
        elif equals and key.replace(".", "").replace("_", "").isalnum():
            if key not in known:
                raise unknown("option", key, known)
            if key in found:
                raise RequestError(f"{key} is given twice")
            if not value:
                raise RequestError(f"{key}= has no value")
            found[key] = value
        else:
            plain.append(word)
    return Words(plain=tuple(plain), keys=found, flags=frozenset(raised))
