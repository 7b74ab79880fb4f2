"""Broken cards, splits and dataset.json files: read, or refused in one line.

Thousands of new ones: pytest tests/faults -k fuzz --hypothesis-profile=long
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bench.data.splits import draw_book
from bench.data.splits.book import content_hash, to_json
from tests.faults.asking import Reader
from tests.faults.spoiling import many, other_tree, spoiled

ROOT = Path(__file__).resolve().parents[2]
CARDS = [
    path.read_bytes()
    for kind in ("methods", "datasets")
    for path in ROOT.glob(f"{kind}/*/card.yaml")
]
BOOK = to_json(draw_book("toy", [f"p{n}" for n in range(9)], {"p1": "north", "p2": "south"}))
BOOK["draws"]["list"] = {
    "split": "ours",
    "source": "a paper",
    "patients": [],
    "foreground": True,
    "slices": [f"{patient}:1" for patient in BOOK["splits"]["ours"]["train"]],
}
DESCRIBED = {
    "name": "toy",
    "labels": {"background": 0, "organ": 1, "tumour": 2, "ignore": 3},
    "channel_names": {"0": "MRI"},
    "training": [{"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}],
    "patients": {"a": "p"},
    "sites": {"a": "north"},
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    made = Reader(tmp_path_factory.mktemp("reader"))
    yield made
    made.close()


def signed(tree: Any) -> bytes:
    """With the hash that its content has, so that the rest of it is looked at."""
    if isinstance(tree, dict):
        tree = {key: value for key, value in tree.items() if key != "sha256"}
        try:
            tree["sha256"] = content_hash(tree)
        except UnicodeEncodeError:
            tree["sha256"] = "none"
    return json.dumps(tree).encode()


@many(80)
@given(content=st.sampled_from(CARDS).flatmap(lambda card: spoiled(card, text=True, head=2000)))
def test_cards(reader: Reader, content: bytes) -> None:
    reader.ask("card", "card.yaml", content)


@many(80)
@given(
    tree=st.sampled_from(CARDS).flatmap(lambda card: other_tree(yaml.safe_load(card))),
    flow=st.booleans(),
)
def test_cards_of_another_content(reader: Reader, tree: Any, flow: bool) -> None:
    content = yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=False)
    reader.ask("card", "card.yaml", content.encode("utf-8", "backslashreplace"))


@many(120)
@given(tree=other_tree(BOOK))
def test_splits_of_another_content(reader: Reader, tree: Any) -> None:
    reader.ask("split", "split.json", signed(tree))


@many(60)
@given(content=spoiled(signed(BOOK), text=True, head=3000))
def test_splits(reader: Reader, content: bytes) -> None:
    reader.ask("split", "split.json", content)


@many(80)
@given(tree=other_tree(DESCRIBED))
def test_dataset_json_of_another_content(reader: Reader, tree: Any) -> None:
    reader.ask("described", "dataset.json", json.dumps(tree).encode())


@many(60)
@given(content=spoiled(json.dumps(DESCRIBED).encode(), text=True))
def test_dataset_json(reader: Reader, content: bytes) -> None:
    reader.ask("described", "dataset.json", content)


DEEP = 100_000


@pytest.mark.parametrize(
    ("kind", "name", "content"),
    [
        ("card", "card.yaml", b"- " * DEEP + b"x"),
        ("card", "card.yaml", b"title: " + b"[" * DEEP),
        ("card", "card.yaml", b"a: {" * DEEP),
        ("card", "card.yaml", b"title: \n" + b"x" * (1 << 19)),
        ("split", "split.json", b"[" * DEEP),
        ("split", "split.json", b'{"a":' * DEEP),
        ("described", "dataset.json", b"[" * DEEP),
        ("described", "dataset.json", b'{"labels": {"a": ' + b"9" * 5000 + b"}}"),
    ],
)
def test_depth_and_length(reader: Reader, kind: str, name: str, content: bytes) -> None:
    assert reader.ask(kind, name, content)["end"] == "refused"


def test_a_value_that_is_a_billion_values(reader: Reader) -> None:
    """Nine lists, each of nine aliases of the one before."""
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    content = "title: t\noptions: {x: {default: *a9, choices: [1]}}\n" + "\n".join(lines)
    found = reader.ask("card", "card.yaml", content.encode())
    assert "aliases (*a9) are not read; write values out" in found["said"]
