"""What differs between two records, and whether one table may hold both."""

from __future__ import annotations

from typing import Any

import pytest

from bench.board.differing import SECTIONS, apart, difference_lines, different
from bench.record.schema import Record
from tests.board.factory import machine, record


@pytest.mark.parametrize(
    ("change", "section", "field", "first", "second"),
    [
        ({"protocol": 2}, "metric protocol", "protocol", "1", "2"),
        ({"method": "beta"}, "method", "method", "alpha", "beta"),
        ({"source": "6" * 64}, "method", "source_sha256", "5" * 64, "6" * 64),
        ({"pretraining_seconds": 5.0}, "method", "pretraining", "null", "b" * 16),
        ({"overrides": {"lr": 0.1}}, "options", "lr", "0.001", "0.1"),
        ({"options": {"depth": 3}}, "options", "depth", "(absent)", "3"),
        ({"shots": "5"}, "labels", "shots", "1", "5"),
        ({"seed": 3}, "labels", "seed", "0", "3"),
        ({"budget_seconds": 60.0}, "budget", "seconds", "120", "60"),
        ({"val": "oracle"}, "budget", "val", "none", "oracle"),
        ({"backbone": "base"}, "backbone", "backbone", "nano", "base"),
        ({"checkpoints": {"sam": "vit_b"}}, "backbone", "sam", "(absent)", "vit_b"),
        ({"fingerprint": "d" * 64}, "data", "fingerprint", "f" * 64, "d" * 64),
        ({"split": "published"}, "split", "split", "ours", "published"),
        ({"test": ["a"]}, "split", "test", "only here: p000", "only here: a"),
        ({"on": machine("bbbb2222")}, "machine", "fingerprint", "aaaa1111", "bbbb2222"),
    ],
)
def test_each_field_under_its_section(
    change: dict[str, Any], section: str, field: str, first: str, second: str
) -> None:
    found = different(record(), record(**change))
    assert [(d.section, d.field, d.first, d.second) for d in found] == [
        (section, field, first, second)
    ]
    assert section in SECTIONS


def test_versions() -> None:
    changed = {**record().model_dump(), "versions": {"sambench": "0.2.0", "torch": "2.9"}}
    found = different(record(), Record.model_validate(changed))
    assert [(d.section, d.field, d.first, d.second) for d in found] == [
        ("versions", "sambench", "0.1.0", "0.2.0"),
        ("versions", "torch", "(absent)", "2.9"),
    ]


def test_outcomes_are_no_difference() -> None:
    assert different(record([[0.5]]), record([[0.9]], seconds=5.0, converged=3.0)) == []


def test_lists_in_another_order() -> None:
    first, second = record(test=["a", "b"]), record(test=["b", "a"])
    [one] = different(first, second)
    assert (one.first, one.second) == ("another order of 2", "another order of 2")


def test_lines_of_equal_and_unequal_sections() -> None:
    lines = list(difference_lines(record(), record(shots="5", on=machine("bbbb2222"))))
    assert lines[0].startswith(f"first   {record().key}: alpha on toy, 1 shot, draw 0, seed 0,")
    assert lines[2] == (
        "the same: metric protocol, method, options, budget, backbone, data, split, versions"
    )
    assert lines[3:] == [
        "labels",
        "  shots: 1 -> 5",
        "machine",
        "  fingerprint: aaaa1111 -> bbbb2222",
        "in one table; timings apart, they are of two machines",
    ]
    assert list(difference_lines(record(), record()))[-1] == "in one table"


def test_why_never_in_one_table() -> None:
    first = record()
    other = record(protocol=2, budget_seconds=60.0, split="published", val="oracle")
    assert apart(first, other) == ["split", "budget", "val", "protocol"]
    assert list(difference_lines(first, other))[-1] == (
        "never in one table: split, budget, val, protocol differ"
    )
    assert apart(first, record(backbone="base", checkpoints={"sam": "vit_b"})) == [
        *("backbone", "weights"),
    ]
    assert apart(first, record(method="unet", backbone="none")) == []
