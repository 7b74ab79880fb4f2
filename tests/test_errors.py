"""Errors a person can act on: the nearest names, and what is said when nothing is near."""

from __future__ import annotations

import pytest

from bench.errors import DataError, RequestError, nearest, unknown

METHODS = ["unet", "control_atlas", "control_empty", "samora"]


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("unte", "unet"),
        ("UNET", "unet"),
        ("samura", "samora"),
        ("atlas", "control_atlas"),
        ("contol_empty", "control_empty"),
    ],
)
def test_the_nearest_name_comes_first(typed: str, first: str) -> None:
    assert nearest(typed, METHODS)[0] == first


def test_a_name_far_from_all_has_no_neighbour() -> None:
    assert nearest("xyzzy", METHODS) == []


def test_an_empty_name_is_near_to_nothing() -> None:
    assert nearest("", METHODS) == []


def test_at_most_three_are_named() -> None:
    names = [f"control_{letter}" for letter in "abcdef"]
    assert len(nearest("control", names)) == 3


def test_near_names_keep_their_own_case() -> None:
    assert nearest("task01_brain", ["Task01_BrainTumour"]) == ["Task01_BrainTumour"]


def test_unknown_offers_the_nearest() -> None:
    assert str(unknown("method", "unte", METHODS)) == "unknown method 'unte'; did you mean unet?"
    two = unknown("budget", "cpu-3min", ["cpu-1min", "cpu-2min", "paper"])
    assert str(two) == "unknown budget 'cpu-3min'; did you mean cpu-2min or cpu-1min?"


def test_unknown_lists_a_short_list() -> None:
    assert str(unknown("val", "xyzzy", ["oracle", "none"])) == (
        "unknown val 'xyzzy'; known: none, oracle"
    )


def test_unknown_cuts_a_long_list() -> None:
    names = [f"name{number:02}" for number in range(20)]
    text = str(unknown("case", "##", names))
    assert text.startswith("unknown case '##'; known: name00, name01,")
    assert text.endswith("name11, ... (20 in all)")


def test_unknown_says_when_there_is_nothing() -> None:
    assert str(unknown("record", "abcd", [])) == "unknown record 'abcd'; known: none"


def test_a_data_error_names_its_case() -> None:
    error = DataError("Case07", "the .raw file is truncated")
    assert isinstance(error, RequestError)
    assert str(error) == "case Case07: the .raw file is truncated"
    assert (error.case, error.problem) == ("Case07", "the .raw file is truncated")
