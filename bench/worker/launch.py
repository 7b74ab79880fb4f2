"""Confines this process, then becomes the worker: `python -I -S launch.py POLICY COMMAND ...`.

A program of its own, because what is confined must be confined before the interpreter imports
anything that a method, or its package, could have put in the way, and before any thread is started:
the kernel confines the calling thread and what it starts later. Standard library alone.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from typing import Any, TypedDict

_SET_PDEATHSIG, _CAPBSET_DROP = 1, 24
_DAC_OVERRIDE = 1
"""The one capability that stays: root reads files of other users, as it does everywhere."""
_LAST_CAPABILITY = 63


class Policy(TypedDict):
    """isolation  "landlock", "namespace" or "none"
    readable, writable  paths that stay open under Landlock
    hidden  folders that are emptied in a namespace
    """

    isolation: str
    readable: list[str]
    writable: list[str]
    hidden: list[str]


def confine(policy: Policy) -> None:
    """Raises OSError where the kernel refuses: no unit runs less confined than its record says."""
    if policy["isolation"] == "landlock":
        from landlock import restrict

        restrict(readable=policy["readable"], writable=policy["writable"])
        drop_capabilities()
    elif policy["isolation"] == "namespace":
        from namespaces import hide

        hide(policy["hidden"])


def drop_capabilities() -> None:
    """Root keeps no power that leads around the rules: no raw devices, no kernel memory, no other
    process' memory."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(_LAST_CAPABILITY + 1):
        if capability != _DAC_OVERRIDE:
            libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0)
    kept = 1 << _DAC_OVERRIDE if os.geteuid() == 0 else 0
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0)
    if libc.capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def end_with_parent(parent: int) -> None:
    """When the supervisor ends, in whatever way, this process is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def main() -> None:
    policy: Any = json.loads(sys.argv[1])
    end_with_parent(policy["parent"])
    try:
        confine(policy)
    except OSError as error:
        print(f"the process of the method cannot be confined: {error}", flush=True)
        os._exit(78)
    command = sys.argv[2:]
    os.execv(command[0], command)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    main()
