"""Entries written into a folder of a test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from bench.errors import RequestError
from bench.registry import Found, discover

CARD = """
title: Mine
summary: Does it.
entry: method:Mine
options:
  lr: 0.001
"""
DATASET = """
title: Toy
summary: Small.
entry: dataset:Toy
modality: MR
classes: [gland]
licence: CC0
citation: nobody
official: files
layouts: {files: ""}
"""


def write(folder: Path, *, card: str = CARD, **files: str) -> Path:
    """An entry's folder: its card, and `name=text` for each of its Python files."""
    folder.mkdir(parents=True)
    (folder / "card.yaml").write_text(dedent(card))
    for name, text in (files or {"method": "class Mine: ..."}).items():
        (folder / f"{name}.py").write_text(dedent(text))
    return folder


def method(folder: Path) -> Found:
    """The method that is that folder."""
    return discover([folder]).method(folder.name)[0]


def refused(call: Callable[..., Any], *arguments: Any) -> str:
    """The line with which a call is refused."""
    with pytest.raises(RequestError) as caught:
        call(*arguments)
    return str(caught.value)
