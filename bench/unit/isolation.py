"""What a worker may open, and how this machine can hold it to that."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from bench.record.schema import Isolation
from bench.registry import ROOT
from bench.worker import landlock, namespaces
from bench.worker.launch import Policy

SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc", "/nix/store", "/gnu/store")
DRIVERS = (
    "/opt/nvidia",
    "/opt/cuda",
    "/opt/rocm",
    "/opt/intel",
    "/run/nvidia",
    "/run/opengl-driver",
)
KERNEL = ("/proc", "/sys")
DEVICES = (
    *(
        "/dev/null",
        "/dev/zero",
        "/dev/full",
        "/dev/random",
        "/dev/urandom",
        "/dev/tty",
        "/dev/ptmx",
    ),
    *("/dev/pts", "/dev/shm", "/dev/dri", "/dev/kfd", "/dev/infiniband"),
)
CODE = ("bench", "methods", "datasets")
"""Folders of the checkout that a method's process imports from."""
DEEPEST = 12
"""Levels of folders that are divided to leave a private one out."""


@cache
def available_isolation() -> Isolation:
    """The best that this kernel and this user have."""
    if landlock.abi():
        return "landlock"
    return "namespace" if namespaces.available() else "none"


def make_policy(
    isolation: Isolation,
    *,
    scratch: Path,
    code: Sequence[Path],
    weights: Path,
    private: Sequence[Path],
) -> Policy:
    """scratch  the one folder to write into
    code     folders of methods outside the checkout
    weights  the folder of checkpoints
    private  labels, data, results: never open, wherever they lie
    """
    hidden = sorted({os.path.realpath(path) for path in private if path.exists()})
    own = os.path.realpath(scratch)  # which may lie in a private folder, where TMPDIR does
    readable = [
        *SYSTEM,
        *DRIVERS,
        *KERNEL,
        *_interpreter(),
        *(str(ROOT / name) for name in CODE),
        *(str(path) for path in code),
        str(weights),
        *_listed("LD_LIBRARY_PATH"),
    ]
    writable = [
        *DEVICES,
        *(str(path) for path in sorted(Path("/dev").glob("nvidia*"))),
        *_listed("CUDA_MPS_PIPE_DIRECTORY"),
    ]
    return Policy(
        isolation=isolation,
        readable=list(without(readable, hidden)),
        writable=[own, *without(writable, hidden)],
        hidden=list(without(hidden, [own])),
    )


def _interpreter() -> Iterator[str]:
    """Where Python finds itself and its packages."""
    yield from {sys.prefix, sys.base_prefix, sys.exec_prefix, *site.getsitepackages()}
    yield from {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    if site.ENABLE_USER_SITE:
        yield site.getusersitepackages()
    for entry in sys.path:
        # The checkout is opened by its folders of code alone: results lie in it, and perhaps data.
        if entry and Path(entry).resolve() not in (ROOT, Path.cwd()):
            yield entry


def _listed(variable: str) -> list[str]:
    return [entry for entry in os.environ.get(variable, "").split(os.pathsep) if entry]


def without(paths: Iterable[str], private: Sequence[str], *, depth: int = DEEPEST) -> Iterator[str]:
    """The paths; one that holds a private folder is divided into what lies beside that."""
    for path in dict.fromkeys(os.path.realpath(path) for path in paths):
        if any(path == hidden or path.startswith(hidden.rstrip("/") + "/") for hidden in private):
            continue
        if not any(hidden.startswith(path.rstrip("/") + "/") for hidden in private):
            yield path
        elif depth:
            try:
                inside = sorted(os.path.join(path, name) for name in os.listdir(path))
            except OSError:
                continue
            yield from without(inside, private, depth=depth - 1)
