"""YAML that is a tree of plain values. A stranger's file can be anything; loading it costs what its
length says, and runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bench.errors import RequestError
from bench.smallfile import read_small

LONGEST = 1 << 18
DEEPEST = 20
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_plain_yaml(file: Path) -> Any:
    """RequestError where it is no YAML, or more than a tree of plain values."""
    try:
        text = read_small(file, LONGEST).decode()
        _check_tree(file, text)
        return yaml.load(text, Loader=_LOADER)
    except (RequestError, FileNotFoundError):
        raise
    except Exception as error:  # its constructors let out whatever a value of theirs raises
        raise RequestError(f"{file}: not readable as YAML: {error}") from None


def _check_tree(file: Path, text: str) -> None:
    """Looked at event by event: the loader itself would follow a deep nesting until its stack ends,
    and whoever writes out a value that is made of aliases would run out of memory."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise RequestError(f"{file}: aliases (*{event.anchor}) are not read; write values out")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise RequestError(f"{file}: nested more than {DEEPEST} deep")
