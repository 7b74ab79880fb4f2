"""What lies in an archive, and where a member may go."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO


class UnsafeError(Exception):
    """A member that this suite never unpacks; the text says which and why."""


@dataclass(frozen=True)
class Member:
    """One entry. `kind` is what it is called in a refusal; only files and folders are unpacked."""

    name: str
    kind: str
    size: int
    open: Callable[[], IO[bytes]]


FILE, FOLDER = "file", "folder"


def check_kind(member: Member) -> None:
    """Links lead elsewhere and devices are no data: neither has a place in a dataset."""
    if member.kind not in (FILE, FOLDER):
        raise UnsafeError(f"{member.name!r} is a {member.kind}")


def safe_parts(name: str) -> tuple[str, ...]:
    """The name as parts below the folder; refused where it could lead out of it on any system."""
    if "\0" in name:
        raise UnsafeError(f"{name!r} has a zero byte in its name")
    slashed = name.replace("\\", "/")
    if slashed.startswith("/"):
        raise UnsafeError(f"{name!r} is an absolute path")
    if re.match(r"[A-Za-z]:", slashed):
        raise UnsafeError(f"{name!r} has a drive letter")
    parts = tuple(part for part in slashed.split("/") if part not in ("", "."))
    if ".." in parts:
        raise UnsafeError(f"{name!r} leaves the folder by '..'")
    return parts
