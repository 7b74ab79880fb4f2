"""Where the kernel has no Landlock: a user and mount namespace in which folders are hidden behind
empty ones, and a network namespace without a network.

Imported by the launcher before anything else: the standard library alone.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterable

NEW_MOUNTS, NEW_USER, NEW_NETWORK = 0x00020000, 0x10000000, 0x40000000
_MS_RDONLY, _MS_REC, _MS_PRIVATE = 1, 1 << 14, 1 << 18
_NOT_ROOT = 1000
"""Who this process is inside, whoever it is outside: not root, who would keep the right to undo
the mounts."""

_libc = ctypes.CDLL(None, use_errno=True)


def available() -> bool:
    """Whether this user may make such namespaces here. Tried in a process of its own."""
    if sys.platform != "linux":
        return False
    tried = subprocess.run(
        [sys.executable, "-I", "-S", __file__, "try"], stderr=subprocess.DEVNULL, check=False
    )
    return tried.returncode == 0


def hide(paths: Iterable[str]) -> None:
    """Each of these folders is empty from here on. Takes effect for good with the next exec, which
    takes from a user who is not root the right to mount."""
    uid, gid = os.getuid(), os.getgid()
    _check(_libc.unshare(NEW_USER | NEW_MOUNTS | NEW_NETWORK), "unshare")
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{_NOT_ROOT} {uid} 1"),
        ("gid_map", f"{_NOT_ROOT} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(content)
    _check(_libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None), "mount /")
    for path in paths:
        if os.path.isdir(path):
            options = b"size=4k,mode=755"
            place = os.fsencode(path)
            _check(_libc.mount(b"none", place, b"tmpfs", _MS_RDONLY, options), f"mount {path}")


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


if __name__ == "__main__":
    hide(["/tmp"])
