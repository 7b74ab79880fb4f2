"""Our rule: nested, the same everywhere, fair to the sites, and blind to the input's order."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from bench.data.splits.rule import (
    draw_book,
    numbered_draws,
    order_patients,
    order_slices,
    pick_test,
)
from bench.errors import RequestError

PATIENTS = [f"p{number:03d}" for number in range(60)]
SITES = {name: "AABC"[number % 4] for number, name in enumerate(PATIENTS)}


def test_the_order_is_the_sort_by_the_documented_hash() -> None:
    def digest(name: str) -> str:
        return hashlib.sha256(f"toy|draw3|{name}".encode()).hexdigest()

    assert order_patients("toy", "3", PATIENTS, {}) == tuple(sorted(PATIENTS, key=digest))


def test_a_known_order_never_changes() -> None:
    """`printf 'toy|draw0|a' | sha256sum` and so on: a 7bcc.., b d057.., c fc7f.., d f770.."""
    assert order_patients("toy", "0", ["c", "b", "a", "d"], {}) == ("a", "b", "d", "c")


def test_the_order_of_the_input_and_repeats_do_not_matter() -> None:
    shuffled = PATIENTS[::-1] + PATIENTS[:5]
    assert order_patients("toy", "1", shuffled, SITES) == order_patients(
        "toy", "1", PATIENTS, SITES
    )
    assert pick_test("toy", shuffled, SITES) == pick_test("toy", PATIENTS, SITES)


def test_draws_and_datasets_differ() -> None:
    orders = {order_patients(name, draw, PATIENTS, {}) for name in "xy" for draw in "0123456789"}
    assert len(orders) == 20


def test_every_first_n_takes_from_the_sites_in_turn() -> None:
    order = order_patients("toy", "0", PATIENTS, SITES)
    assert sorted(order) == PATIENTS
    sizes = Counter(SITES.values())
    for count in range(1, 61):
        seen = Counter(SITES[name] for name in order[:count])
        open_sites = [seen[site] for site in sizes if seen[site] < sizes[site]]
        assert max(open_sites, default=0) - min(open_sites, default=0) <= 1


def test_the_first_patient_is_not_always_of_the_same_site() -> None:
    first = {SITES[order_patients("toy", str(d), PATIENTS, SITES)[0]] for d in range(10)}
    assert len(first) > 1


def test_the_test_part_takes_its_share_of_every_site() -> None:
    test = pick_test("toy", PATIENTS, SITES, 0.3)
    seen = Counter(SITES[name] for name in test)
    # 30, 15 and 15 patients: 9, round(4.5) = 4 and 4.
    assert seen == {"A": 9, "B": 4, "C": 4}


def test_without_sites_the_share_is_of_all() -> None:
    def digest(name: str) -> str:
        return hashlib.sha256(f"toy|test|{name}".encode()).hexdigest()

    assert pick_test("toy", PATIENTS, {}) == tuple(sorted(sorted(PATIENTS, key=digest)[:18]))


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_a_tiny_set_has_both_parts(count: int) -> None:
    names = PATIENTS[:count]
    assert 1 <= len(pick_test("toy", names, {})) < count
    assert len(pick_test("toy", names, {name: name for name in names})) == 1


@pytest.mark.parametrize("count", [0, 1])
def test_one_patient_cannot_be_split(count: int) -> None:
    with pytest.raises(RequestError, match=rf"toy has {count} patient\(s\); a split needs at leas"):
        pick_test("toy", PATIENTS[:count], {})


def test_slices_are_ordered_by_hash_and_unique() -> None:
    slices = [("a", 1), ("a", 2), ("b", 1), ("a", 1)]

    def digest(entry: tuple[str, int]) -> str:
        return hashlib.sha256(f"toy|draw0|{entry[0]}|{entry[1]}".encode()).hexdigest()

    assert order_slices("toy", "0", slices) == tuple(sorted(set(slices), key=digest))


def test_a_drawn_book_has_ten_draws_over_its_training_patients() -> None:
    book = draw_book("toy", PATIENTS, SITES)
    split = book.splits["ours"]
    assert sorted(split.patients) == PATIENTS
    assert not set(split.train) & set(split.test)
    assert list(book.draws) == [str(number) for number in range(10)]
    for draw in book.draws.values():
        assert sorted(draw.patients) == sorted(split.train)
    assert book.draws == numbered_draws("toy", split, SITES)
    assert "17 of 60 patients test" in split.source
    assert book.sites == SITES
