"""Our rule: every order is a sort by hash, so it needs no generator and no version of one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from bench.data.splits.book import Draw, Split, SplitBook, check_book
from bench.errors import RequestError

DRAWS = tuple(str(number) for number in range(10))
TEST_SHARE = 0.3
OURS = "ours"


def key(*parts: object) -> str:
    """sha256 of the parts joined by "|", in hexadecimal."""
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()


def order_patients(
    dataset: str, draw: str, patients: Iterable[str], sites: Mapping[str, str]
) -> tuple[str, ...]:
    """The patients by key(dataset, "draw<d>", patient), taken from the sites in turn.

    The sites themselves are in the order of key(dataset, "draw<d>", "site", site), so that the
    first patient is not of the same site in every draw.
    """
    salt = f"draw{draw}"
    groups: dict[str, list[str]] = {}
    for patient in sorted(set(patients), key=lambda name: key(dataset, salt, name)):
        groups.setdefault(sites.get(patient, ""), []).append(patient)
    turns = sorted(groups, key=lambda site: key(dataset, salt, "site", site))
    rounds = zip_longest(*(groups[site] for site in turns))
    return tuple(patient for turn in rounds for patient in turn if patient is not None)


def order_slices(
    dataset: str, draw: str, slices: Iterable[tuple[str, int]]
) -> tuple[tuple[str, int], ...]:
    """(case, index along D) by key(dataset, "draw<d>", case, index)."""
    return tuple(
        sorted(set(slices), key=lambda entry: key(dataset, f"draw{draw}", entry[0], entry[1]))
    )


def pick_test(
    dataset: str, patients: Iterable[str], sites: Mapping[str, str], share: float = TEST_SHARE
) -> tuple[str, ...]:
    """The test patients, sorted: the first round(share * n) by key(dataset, "test", patient).

    Each site is counted by itself; at least one patient in all.
    """
    names = sorted(set(patients), key=lambda name: key(dataset, "test", name))
    if len(names) < 2:
        raise RequestError(f"{dataset} has {len(names)} patient(s); a split needs at least 2")
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(sites.get(name, ""), []).append(name)
    chosen = [name for group in groups.values() for name in group[: round(share * len(group))]]
    return tuple(sorted(chosen or names[:1]))


def numbered_draws(
    dataset: str, split: Split, sites: Mapping[str, str], names: Iterable[str] = DRAWS
) -> dict[str, Draw]:
    """Our draws "0" to "9" over a split's training patients."""
    return {
        name: Draw(
            name=name,
            split=split.name,
            source="our rule",
            patients=order_patients(dataset, name, split.train, sites),
        )
        for name in names
    }


def begin_apart(orders: Iterable[Sequence[str]]) -> list[str]:
    """The patient with which each draw begins: its first with whom no earlier one begins.

    By hash alone two of three draws may label the same single patient, and be counted as two. Where
    there are fewer patients than draws, the rest begin with their own first.
    """
    begun: list[str] = []
    for order in orders:
        begun.append(next((patient for patient in order if patient not in begun), order[0]))
    return begun


def draw_book(
    dataset: str,
    patients: Iterable[str],
    sites: Mapping[str, str],
    *,
    share: float = TEST_SHARE,
) -> SplitBook:
    """A whole book by our rule, for patients that no published list splits."""
    names = sorted(set(patients))
    test = pick_test(dataset, names, sites, share)
    split = Split(
        name=OURS,
        source=f"our rule: by hash, patient-level, {'by site, ' if sites else ''}"
        f"{len(test)} of {len(names)} patients test",
        train=tuple(name for name in names if name not in set(test)),
        val=(),
        test=test,
    )
    return check_book(
        SplitBook(
            dataset=dataset,
            default=OURS,
            splits={OURS: split},
            draws=numbered_draws(dataset, split, sites),
            sites={name: sites[name] for name in names if name in sites},
        )
    )
