"""Errors that a user can act on, the nearest name to a mistyped one, and any error in one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

ALLOCATORS = ("DefaultCPUAllocator", "can't allocate memory", "Cannot allocate memory")


LONGEST = 4000
"""Characters of an error; what a broken file holds may be of any length."""


def one_line(text: str) -> str:
    """Printable, in one line. Names and contents of files are other people's text: an escape code
    in them must not reach a terminal."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


class RequestError(Exception):
    """A wrong request: one line that says what is wrong, where, and what to do. Exit code 2."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class DataError(RequestError):
    """A broken or missing input file; the message names the case."""

    def __init__(self, case: str, problem: str) -> None:
        super().__init__(f"case {case}: {problem}")
        self.case = case
        self.problem = one_line(problem)


class MethodError(RuntimeError):
    """What a method did, in the words of its own process or of who watches it: one line for a
    record."""

    def __init__(self, reason: str) -> None:
        super().__init__(one_line(str(reason)))


def nearest(name: str, known: Iterable[str], *, limit: int = 3) -> list[str]:
    """Known names that look like `name`, best first; names that contain it count too."""
    names = sorted(set(known))
    lowered = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), lowered, n=limit, cutoff=0.5)
    inside = [key for key in lowered if name and name.lower() in key and key not in close]
    return [lowered[key] for key in [*close, *inside][:limit]]


def unknown(kind: str, name: str, known: Iterable[str]) -> RequestError:
    """The error for a name that nothing answers to: the nearest ones, or all of a short list."""
    names = sorted(set(known))
    close = nearest(name, names)
    if close:
        hint = f"did you mean {' or '.join(close)}?"
    elif len(names) <= 12:
        hint = f"known: {', '.join(names) or 'none'}"
    else:
        hint = f"known: {', '.join(names[:12])}, ... ({len(names)} in all)"
    return RequestError(f"unknown {kind} {name!r}; {hint}")


def reason_of(error: BaseException) -> str:
    """Any exception in one line that a table can show: what kind of failure it is, first."""
    if isinstance(error, MethodError):
        return str(error)
    name = type(error).__name__
    line = one_line(" ".join(str(error).split())[:300])
    if name == "OutOfMemoryError" or "CUDA out of memory" in line:
        return f"out of device memory: {line}"
    if isinstance(error, MemoryError) or any(mark in line for mark in ALLOCATORS):
        return f"out of host memory: {line or 'MemoryError'}"
    if isinstance(error, SystemExit):
        return f"the method called sys.exit({error.code!r})"
    if isinstance(error, KeyboardInterrupt):
        return "the method raised KeyboardInterrupt"
    return f"{name}: {line}" if line else name
