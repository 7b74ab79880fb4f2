"""Names and reasons are other people's text: made harmless and short before they are shown."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache

ANSI = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b.")
MARKDOWN = re.compile(r"[\\`*\[\]~$|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


@lru_cache(maxsize=4096)  # a few names stand in thousands of lines
def plain(text: str) -> str:
    """One line without terminal codes, control characters or direction marks."""
    text = ANSI.sub("", text)
    spaced = "".join(" " if char.isspace() else char for char in text)
    kept = "".join(char for char in spaced if not unicodedata.category(char).startswith("C"))
    return " ".join(kept.split())


def shorten(text: str, limit: int) -> str:
    """Plain text of at most `limit` characters; what was cut is shown by an ellipsis."""
    text = plain(text)
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def shorten_middle(text: str, limit: int) -> str:
    """The same for names that differ at their ends: the middle is cut."""
    text = plain(text)
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 2
    return f"{text[: limit - 1 - tail].rstrip()}…{text[len(text) - tail :].lstrip()}"


def markdown(text: str) -> str:
    """Plain text that a Markdown table cell shows as it is; `a_b` needs no escape, `_a_` does."""
    escaped = MARKDOWN.sub(lambda found: "\\" + found.group(), plain(text))
    return "".join(ENTITIES.get(char, char) for char in escaped)


def slug(text: str, *, limit: int = 40) -> str:
    """Letters, digits and dashes: the readable part of a file name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:limit].strip("-") or "unnamed"


def short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def value_text(value: object) -> str:
    """An option's value as a person would type it: 1e-05, true, [1, 2]."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        inner = ", ".join(f"{key}: {value_text(value[key])}" for key in sorted(value))
        return "{" + inner + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(value_text(item) for item in value) + "]"
    return str(value)


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def points(value: float) -> str:
    """A share of 1 as points of 100."""
    return f"{100 * value:.1f}"


def seconds_text(value: float | None) -> str:
    return "—" if value is None else f"{value:.1f}"


def bytes_text(value: float | None) -> str:
    return "—" if value is None else f"{value / 2**20:.0f} MiB"


def count_text(value: float | None) -> str:
    """Parameters: 2.06 M, 12.3 k, 7."""
    if value is None:
        return "—"
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.2f} {unit}"
    return f"{value:.0f}"
