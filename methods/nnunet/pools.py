"""nnunetv2's process pools as threads of this process.

Its pools are interpreters that import torch anew: seconds of the budget for a few volumes, and
processes that would have to be ended with the unit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from multiprocessing.pool import ThreadPool
from types import ModuleType, SimpleNamespace
from typing import Any


@contextlib.contextmanager
def threads_for_processes(module: ModuleType) -> Iterator[None]:
    """In here `multiprocessing.get_context(...).Pool` means threads to `module`."""
    patched: Any = module
    before = patched.multiprocessing
    patched.multiprocessing = SimpleNamespace(
        get_context=lambda _: SimpleNamespace(Pool=ThreadPool)
    )
    try:
        yield
    finally:
        patched.multiprocessing = before
