"""Short hashes of what a result depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def key_of(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def copy_key(dataset: str, options: Mapping[str, Any]) -> str:
    """Of a dataset's prepared copy within a run."""
    return key_of({"dataset": dataset, "options": dict(options)})
