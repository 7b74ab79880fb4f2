"""draw + shots + copy -> support, pool, probe and test."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from bench.data.splits import Draw, Drawn, Split, SplitBook, draw_book, resolve
from bench.errors import DataError, RequestError

PATIENTS = [f"p{number:02d}" for number in range(20)]
SITES = {name: "NS"[number % 2] for number, name in enumerate(PATIENTS)}
BOOK = draw_book("toy", PATIENTS, SITES)
OURS = BOOK.splits["ours"]
ORDER = BOOK.draws["0"].patients
PRESENT = {name: (name,) for name in PATIENTS}
FOREGROUND = {name: tuple(range(2, 9)) for name in PATIENTS}


def drawn(book: SplitBook = BOOK, *, draw: str = "0", shots: str = "1", **change: object) -> Drawn:
    request = {"present": PRESENT, "foreground": FOREGROUND, "probe_patients": 3, **change}
    return resolve(book, draw=draw, shots=shots, **request)  # type: ignore[arg-type]


def cases(result: Drawn) -> list[str]:
    return [entry.case for entry in result.support]


def test_patients_come_in_the_draws_order() -> None:
    result = drawn(shots="5")
    assert cases(result) == list(ORDER[:5])
    assert all(entry.slices is None for entry in result.support)
    assert set(result.pool) == set(OURS.train)
    assert result.probe == ORDER[-3:]
    assert result.test == OURS.test
    assert (result.dataset, result.split, result.draw, result.shots) == ("toy", "ours", "0", "5")


@pytest.mark.parametrize("unit", ["", "s"])
def test_shots_are_nested(unit: str) -> None:
    def labelled(count: int) -> set[tuple[str, int]]:
        return {
            (entry.case, index)
            for entry in drawn(shots=f"{count}{unit}").support
            for index in (entry.slices or (-1,))
        }

    sets = [labelled(count) for count in range(1, len(ORDER) + 1)]
    assert [len(entries) for entries in sets] == list(range(1, len(ORDER) + 1))
    assert all(small < large for small, large in pairwise(sets))


@pytest.mark.parametrize("draw", list(BOOK.draws))
@pytest.mark.parametrize("shots", ["1", "5", "10%", "20s", "all"])
def test_nobody_is_in_two_parts(draw: str, shots: str) -> None:
    result = drawn(draw=draw, shots=shots)
    support, probe, test = set(cases(result)), set(result.probe), set(result.test)
    assert not support & test
    assert not support & probe
    assert not probe & test
    assert not set(result.pool) & test
    assert support <= set(result.pool)


def test_a_share_counts_the_whole_split() -> None:
    assert len(OURS.train) == 14
    assert len(drawn(shots="10%").support) == 2
    some = {name: (name,) for name in (*ORDER[3:9], *OURS.test)}
    assert cases(drawn(shots="10%", present=some)) == list(ORDER[3:5])


def test_all_leaves_nobody_to_probe() -> None:
    result = drawn(shots="all")
    assert set(cases(result)) == set(OURS.train)
    assert result.probe == ()
    assert drawn(shots="12").probe == ORDER[12:]


def test_several_cases_of_a_patient_stay_together() -> None:
    present = {name: (f"{name}_es", f"{name}_ed") for name in PATIENTS}
    result = drawn(shots="1", present=present)
    assert cases(result) == [f"{ORDER[0]}_ed", f"{ORDER[0]}_es"]
    assert {entry.patient for entry in result.support} == {ORDER[0]}
    assert len(result.test) == 2 * len(OURS.test)
    assert len(result.probe) == 6


def test_slices_show_a_class_and_leave_the_probe_unlabelled() -> None:
    result = drawn(shots="20s")
    assert sum(len(entry.slices or ()) for entry in result.support) == 20
    assert all(set(entry.slices or ()) <= set(range(2, 9)) for entry in result.support)
    assert result.probe == ORDER[-3:]
    assert drawn(shots="1s").probe == drawn(shots="70s").probe == ORDER[-3:]
    everything = drawn(shots="77s")
    assert {entry.patient for entry in everything.support} == set(ORDER[:-3])


def test_more_slices_than_there_are() -> None:
    with pytest.raises(
        RequestError, match="draw '0' of toy has 77 slices to label in this copy; ask for at most"
    ):
        drawn(shots="78s")
    with pytest.raises(RequestError, match=r"has 0 slices to label in this copy$"):
        drawn(shots="1s", foreground=dict.fromkeys(PATIENTS, ()))


def test_few_patients_share_between_slices_and_probe() -> None:
    some = {name: (name,) for name in (*ORDER[:3], *OURS.test)}
    result = drawn(shots="14s", present=some)
    assert {entry.patient for entry in result.support} == set(ORDER[:2])
    assert result.probe == ORDER[2:3]


def test_a_partial_copy_keeps_the_order() -> None:
    some = {name: (name,) for name in (*ORDER[1::2], *OURS.test[:2])}
    result = drawn(shots="2", present=some)
    assert cases(result) == list(ORDER[1::2][:2])
    assert result.test == OURS.test[:2]
    assert set(result.pool) == set(ORDER[1::2])


def test_patients_outside_the_split_and_without_cases_are_left_out() -> None:
    more = {**PRESENT, "stranger": ("stranger",), ORDER[0]: ()}
    result = drawn(shots="1", present=more)
    assert cases(result) == [ORDER[1]]
    assert "stranger" not in (*result.pool, *result.test)


def test_val_patients_probe_where_the_split_has_them() -> None:
    split = Split("v", "s", ("a", "b", "c", "d"), ("v1", "v2"), ("t",))
    draw = Draw("0", "v", "s", ("d", "c", "b", "a"))
    book = SplitBook("toy", "v", {"v": split}, {"0": draw}, {})
    present = {name: (name,) for name in split.patients}
    foreground = dict.fromkeys(present, (1, 2))
    result = drawn(book, shots="2", present=present)
    assert result.probe == ("v1", "v2")
    assert "v1" not in result.pool
    every = drawn(book, shots="8s", present=present, foreground=foreground)
    assert {entry.patient for entry in every.support} == set("abcd")
    without = {name: (name,) for name in ("a", "b", "c", "d", "t")}
    assert drawn(book, shots="2", present=without).probe == ("b", "a")


def test_too_many_patients() -> None:
    with pytest.raises(
        RequestError,
        match=r"shots=15: draw '0' of toy has 14 training patients; ask for at most shots=14$",
    ):
        drawn(shots="15")
    some = {name: (name,) for name in (*ORDER[:2], *OURS.test)}
    with pytest.raises(RequestError, match="has 14 training patients, 2 of them in this copy; ask"):
        drawn(shots="5", present=some)
    with pytest.raises(RequestError, match=r"shots=50% asks for 7 patients: draw '0' of toy has"):
        drawn(shots="50%", present=some)


def test_a_copy_without_a_part() -> None:
    with pytest.raises(RequestError, match="no training patient of draw '0' of toy is in this cop"):
        drawn(present={name: (name,) for name in OURS.test})
    with pytest.raises(
        RequestError, match=r"no test patient of split 'ours' of toy is in this copy \(6 are miss"
    ):
        drawn(present={name: (name,) for name in OURS.train})


def test_unknown_draws_and_shots() -> None:
    with pytest.raises(RequestError, match="unknown draw of toy '42'; did you mean 4 or 2"):
        drawn(draw="42")
    with pytest.raises(RequestError, match="shots=many is not understood"):
        drawn(shots="many")


PUBLISHED = replace(
    BOOK,
    draws={
        **BOOK.draws,
        "few": Draw("few", "ours", "s", ORDER[4:7], ((ORDER[5], 3), (ORDER[4], 4)), True),
        "list": Draw("list", "ours", "s", (), ((ORDER[2], 0), (ORDER[9], 1), (ORDER[2], 7))),
    },
)


def test_a_published_draw_of_patients() -> None:
    assert cases(drawn(PUBLISHED, draw="few", shots="2")) == list(ORDER[4:6])
    whole = drawn(PUBLISHED, draw="few", shots="all")
    assert cases(whole) == list(ORDER[4:7])
    assert len(whole.probe) == 3
    assert not set(whole.probe) & set(ORDER[4:7])
    assert set(whole.pool) == set(OURS.train)
    with pytest.raises(RequestError, match="draw 'few' of toy has 3 training patients; ask for at"):
        drawn(PUBLISHED, draw="few", shots="4")


def test_a_published_list_of_slices_keeps_its_order() -> None:
    both = drawn(PUBLISHED, draw="list", shots="all")
    assert {entry.case: entry.slices for entry in both.support} == {
        ORDER[2]: (0, 7),
        ORDER[9]: (1,),
    }
    two = drawn(PUBLISHED, draw="list", shots="2s")
    assert {entry.case: entry.slices for entry in two.support} == {ORDER[2]: (0,), ORDER[9]: (1,)}
    assert drawn(PUBLISHED, draw="list", shots="3s").split_sha256 == both.split_sha256
    with pytest.raises(
        RequestError, match="draw 'list' of toy is a list of 3 slices; ask for shots=3s, fewer"
    ):
        drawn(PUBLISHED, draw="list", shots="2")
    with pytest.raises(
        RequestError, match=r"'list' of toy has 3 slices to label .* at most shots=3"
    ):
        drawn(PUBLISHED, draw="list", shots="4s")


def test_a_published_list_is_refused_on_another_grid() -> None:
    assert len(drawn(PUBLISHED, draw="few", shots="2s").support) == 2
    resampled = {**FOREGROUND, ORDER[4]: (5, 6)}
    with pytest.raises(
        DataError, match=rf"case {ORDER[4]}: slice 4 of draw 'few' .* ask for patients \(shots=3\)"
    ):
        drawn(PUBLISHED, draw="few", shots="1s", foreground=resampled)


def test_the_hash_is_of_what_the_unit_uses() -> None:
    base = drawn(shots="2").split_sha256
    assert len(base) == 64
    assert drawn(shots="2").split_sha256 == base
    assert drawn(shots="10%").split_sha256 == base
    assert drawn(PUBLISHED, shots="2").split_sha256 == base
    others = [
        drawn(shots="3"),
        drawn(shots="2", draw="1"),
        drawn(shots="2", probe_patients=2),
        drawn(shots="2", present={name: (name,) for name in PATIENTS if name != OURS.test[0]}),
        drawn(shots="2", present={name: (name,) for name in PATIENTS if name != ORDER[7]}),
        drawn(shots="2s"),
    ]
    assert len({base, *(other.split_sha256 for other in others)}) == 7


def of_draws(*orders: str) -> SplitBook:
    """Draws "0", "1", ... over four patients who train; each order is a word of their letters."""
    split = Split(name="ours", source="by hand", train=("a", "b", "c", "d"), val=(), test=("t",))
    draws = {
        str(number): Draw(name=str(number), split="ours", source="", patients=tuple(order))
        for number, order in enumerate(orders)
    }
    return SplitBook(dataset="toy", default="ours", splits={"ours": split}, draws=draws, sites={})


def first(book: SplitBook, draw: str, there: str = "abcdt") -> list[str]:
    present = {name: (name,) for name in there}
    return cases(drawn(book, draw=draw, shots="1", present=present, foreground={}))


def test_no_two_numbered_draws_begin_with_the_same_patient() -> None:
    book = of_draws("abcd", "acbd", "abdc", "cdab")
    assert [first(book, str(draw)) for draw in range(4)] == [["a"], ["c"], ["b"], ["d"]]


def test_a_copy_with_fewer_patients_has_other_beginnings() -> None:
    book = of_draws("abcd", "bacd", "abdc")
    assert [first(book, str(draw)) for draw in range(3)] == [["a"], ["b"], ["d"]]
    assert [first(book, str(draw), "bcdt") for draw in range(3)] == [["b"], ["c"], ["d"]]


def test_more_draws_than_patients_begin_with_their_own_first() -> None:
    book = of_draws("abcd", "acbd", "abdc")
    assert [first(book, str(draw), "act") for draw in range(3)] == [["a"], ["c"], ["a"]]


def test_the_other_shots_of_such_a_draw_stay_nested_and_in_its_order() -> None:
    book = of_draws("abcd", "abdc")
    present = {name: (name,) for name in "abcdt"}

    def labelled(shots: int) -> list[str]:
        return cases(drawn(book, draw="1", shots=str(shots), present=present, foreground={}))

    assert [labelled(shots) for shots in range(1, 5)] == [
        ["b"],
        ["a", "b"],
        ["a", "b", "d"],
        ["a", "b", "d", "c"],
    ]


def test_a_published_draw_keeps_its_first_patient() -> None:
    book = of_draws("abcd", "bacd")
    paper = Draw(name="paper", split="ours", source="", patients=("a", "c"))
    assert first(replace(book, draws={**book.draws, "paper": paper}), "paper") == ["a"]
