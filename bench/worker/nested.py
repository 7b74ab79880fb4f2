"""Nested states (dicts, lists, numbers, tensors) in a safetensors file: flat tensors and a skeleton
of JSON. Nothing in the file is ever executed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.unit.pack import pack, unpack
from bench.unit.state import load_state, save_state

SKELETON = "skeleton"


def write_nested(path: Path, content: Mapping[str, Any]) -> None:
    tensors: dict[str, Any] = {}
    skeleton = json.dumps(pack(dict(content), tensors))
    tensors[SKELETON] = np.frombuffer(skeleton.encode(), dtype=np.uint8)
    save_state(path, tensors)


def read_nested(path: Path) -> dict[str, Any]:
    tensors = load_state(path)
    skeleton = json.loads(tensors.pop(SKELETON).tobytes())
    content: dict[str, Any] = unpack(skeleton, tensors)
    return content
