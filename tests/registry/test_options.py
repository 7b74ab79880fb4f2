"""An entry's options: the card's defaults, and overrides of the right kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.registry import make_options
from tests.registry.entries import method, refused, write

OPTIONS = """
title: Mine
summary: Does it.
entry: method:Mine
options:
  lr: 0.1
  steps: 5
  flip: false
  name: auto
  sizes: [8, 16]
  rates: [0.1, 1.0]
  mixed: [1, auto]
  root: null
  mode: {default: a, choices: [a, b]}
  level: {default: 1.0, choices: [1.0, 2.5]}
  tri: {default: null, choices: [null, true, false]}
"""


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("lr", 0.5, 0.5),
        ("lr", 2, 2.0),
        ("steps", 7, 7),
        ("flip", True, True),
        ("name", "x", "x"),
        ("name", 128, "128"),
        ("sizes", [1], [1]),
        ("sizes", [], []),
        ("rates", [1, 0.5], [1.0, 0.5]),
        ("mixed", ["a", 2.5], ["a", 2.5]),
        ("root", "a/b", "a/b"),
        ("root", None, None),
        ("mode", "b", "b"),
        ("level", 2.5, 2.5),
        ("level", 1, 1.0),
        ("tri", True, True),
        ("tri", None, None),
    ],
)
def test_options_take_what_fits(tmp_path: Path, name: str, value: object, taken: object) -> None:
    found = method(write(tmp_path / "mine", card=OPTIONS))
    options = make_options(found, {name: value})
    assert getattr(options, name) == taken
    assert type(getattr(options, name)) is type(taken)
    assert options.steps == (value if name == "steps" else 5)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("lr", "fast", "option lr of method mine: 'fast' is not a number"),
        ("lr", True, "option lr of method mine: True is not a number"),
        ("lr", None, "option lr of method mine: None is not a number"),
        ("steps", 2.5, "option steps of method mine: 2.5 is not a whole number"),
        ("steps", "5", "option steps of method mine: '5' is not a whole number"),
        ("flip", 1, "option flip of method mine: 1 is not true or false"),
        ("flip", "yes", "option flip of method mine: 'yes' is not true or false"),
        ("name", True, "option name of method mine: True is not text"),
        ("name", [1], "option name of method mine: [1] is not text"),
        ("sizes", 8, "option sizes of method mine: 8 is not a list"),
        ("sizes", [8, "b"], "option sizes of method mine: in [8, 'b']: 'b' is not a whole number"),
        ("mode", "c", "unknown value for option mode of method mine 'c'; known: a, b"),
        ("level", 3, "unknown value for option level of method mine '3'; known: 1.0, 2.5"),
        ("tri", 1, "unknown value for option tri of method mine '1'; known: false, null, true"),
        (
            "stpes",
            1,
            "unknown option of method mine 'stpes'; did you mean steps or sizes or rates?",
        ),
    ],
)
def test_options_refuse_the_rest(tmp_path: Path, name: str, value: object, problem: str) -> None:
    found = method(write(tmp_path / "mine", card=OPTIONS))
    assert refused(make_options, found, {name: value}) == problem


def test_extra_values_join_the_options(tmp_path: Path) -> None:
    options = make_options(method(write(tmp_path / "mine")), extra={"folder": "f"})
    assert (options.lr, options.folder) == (0.001, "f")
