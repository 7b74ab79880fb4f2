"""Preparing a copy that lacks something, or is another than the official one."""

from __future__ import annotations

import re

import pytest

from bench.data.copies import MissingCopyError
from bench.errors import RequestError
from tests.data.files import Files, reads, write_case


def test_no_copy_is_an_error_of_its_own(make, tmp_path) -> None:
    with pytest.raises(MissingCopyError, match="la2018: no copy of it was found"):
        make(Files(tmp_path / "nowhere"))


def test_an_empty_folder(make, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    message = re.escape(f"no case in {tmp_path / 'empty'}: the folder is empty, or its files")
    with pytest.raises(RequestError, match=message):
        make(Files(tmp_path / "empty"))


def test_a_copy_that_lacks_patients_is_refused_with_their_ids(make, root, tmp_path) -> None:
    message = (
        f"la2018: 2 of 5 cases are missing in {root}: e, f; add them, or run on what is there "
        "with data.partial=true"
    )
    with pytest.raises(RequestError, match=re.escape(message)):
        make(expected=["f", "a", "b", "c", "e"])
    assert reads(root) == ""
    assert not (tmp_path / "stores").exists()


def test_a_long_list_of_missing_ids_is_cut(make) -> None:
    expected = [f"p{n:03d}" for n in range(100)]
    with pytest.raises(RequestError, match=r"100 of 100 .*: p000, .*, p019 and 80 more; add"):
        make(expected=expected)
    with pytest.raises(RequestError, match=r"20 of 20 .* p018, p019; add them"):
        make(expected=expected[:20])


def test_a_known_number_of_cases_is_asked_for(make) -> None:
    with pytest.raises(RequestError, match=r"6 of 10 cases are missing in [^:]*; add them, or"):
        make(expected=10)
    assert make(expected=4).manifest.copy == "la2018"
    assert make(expected=10, partial=True).manifest.copy == "la2018, 4 of 10 cases"


def test_a_partial_copy_has_a_name_and_a_fingerprint_of_its_own(make, root, tmp_path) -> None:
    whole = make(expected=["a", "b", "c", "d"]).manifest
    assert whole.copy == "la2018"
    (root / "d.npy").unlink()
    part = make(expected=["a", "b", "c", "d"], partial=True).manifest
    assert part.copy == "la2018, 3 of 4 cases"
    assert [case.case for case in part.cases] == ["a", "b", "c"]
    assert part.fingerprint != whole.fingerprint


def test_an_unofficial_layout_is_in_the_name(make, root) -> None:
    store = make(Files(root, layout="h5"), expected=[*"abcdefghij"], partial=True)
    assert store.manifest.copy == "la2018, h5 crop, 4 of 10 cases"
    assert store.manifest.layout == "h5"


def test_a_layout_that_the_card_does_not_list(make, root) -> None:
    message = "found the layout 'zip', which its card.yaml does not list under layouts (h5, offic"
    with pytest.raises(RequestError, match=re.escape(message)):
        make(Files(root, layout="zip"))


def test_patients_are_counted_where_one_has_several_cases(make, root) -> None:
    for case in ("p1", "p2", "q1"):
        write_case(root, case)
    for path in root.glob("?.npy"):
        path.unlink()
    dataset = Files(root, many=True)
    assert [s.patient for s in dataset.find().sources] == ["p", "p", "q"]
    with pytest.raises(RequestError, match=r"1 of 3 patients are missing in [^:]*: r; add"):
        make(dataset, expected=["p", "q", "r"])
    store = make(dataset, expected=["p", "q", "r"], partial=True)
    assert store.manifest.copy == "la2018, 2 of 3 patients"


def test_cases_that_nobody_expects_are_in_the_name(make) -> None:
    assert make(expected=["a", "b"]).manifest.copy == "la2018, 2 further cases"
    assert make(expected=3).manifest.copy == "la2018, 1 further cases"
