"""Errors a person can act on: the nearest names, what is said when nothing is near, reasons."""

from __future__ import annotations

import pytest
import torch

from bench.errors import DataError, RequestError, nearest, reason_of, unknown

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


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("loss is not finite"), "ValueError: loss is not finite"),
        (KeyError("share"), "KeyError: 'share'"),
        (RuntimeError(), "RuntimeError"),
        (RuntimeError("a\n  b\n\nc"), "RuntimeError: a b c"),
        (MemoryError(), "out of host memory: MemoryError"),
        (MemoryError("Unable to allocate 9 TiB"), "out of host memory: Unable to allocate 9 TiB"),
        (OSError("Cannot allocate memory"), "out of host memory: Cannot allocate memory"),
        (
            RuntimeError("CUDA out of memory. Tried"),
            "out of device memory: CUDA out of memory. Tried",
        ),
        (torch.OutOfMemoryError("CUDA out"), "out of device memory: CUDA out"),
        (SystemExit(3), "the method called sys.exit(3)"),
        (SystemExit("bye"), "the method called sys.exit('bye')"),
        (KeyboardInterrupt(), "the method raised KeyboardInterrupt"),
    ],
)
def test_reasons(error: BaseException, reason: str) -> None:
    assert reason_of(error) == reason


def test_a_long_message_is_cut() -> None:
    assert len(reason_of(ValueError("x" * 5000))) == len("ValueError: ") + 300


def test_what_torch_really_says_without_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert reason_of(caught.value).startswith("out of host memory: ")


def test_what_numpy_really_says_without_memory() -> None:
    import numpy as np

    with pytest.raises(MemoryError) as caught:
        np.empty(2**60, dtype=np.uint8)
    assert reason_of(caught.value).startswith("out of host memory: Unable to allocate 1.00 EiB")
