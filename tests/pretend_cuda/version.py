"""Which torch this is written for. What is hooked lies below torch's interface, and may lie
elsewhere in the next one."""

from __future__ import annotations

import os
import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

PINNED = "PRETEND_CUDA_TORCH"
CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints.txt"


def pinned_version() -> str:
    """Of torch, in constraints.txt; a method's process may not read that, and is told."""
    if PINNED in os.environ:
        return os.environ[PINNED]
    found = re.search(r"^torch==(\S+)", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]


def refusal() -> str | None:
    """Why it cannot be installed here. Nothing of torch is imported."""
    pinned, here = pinned_version(), version("torch")
    if here.split("+")[0] != pinned.split("+")[0]:
        return f"pretend CUDA: written for torch {pinned} (constraints.txt), and this is {here}"
    spec = find_spec("torch")
    assert spec is not None
    assert spec.origin is not None
    facts = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    if re.search(r"^cuda.*= None$", facts, re.MULTILINE):
        return f"pretend CUDA: torch {here} is built without CUDA, and knows no CUDA tensors"
    return None
