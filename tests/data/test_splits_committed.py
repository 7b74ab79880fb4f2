"""The split.json files in datasets/: whole, drawn by the rule, true to the published lists."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from bench.data.splits import (
    SplitBook,
    draw_book,
    load_book,
    numbered_draws,
    order_patients,
    resolve,
)
from bench.data.splits.rule import DRAWS

ROOT = Path(__file__).resolve().parents[2] / "datasets"


def _committed() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(ROOT.glob("*/split.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        found += [(name, path) for name in content.get("books", {content.get("dataset"): {}})]
    return found


def book(name: str) -> SplitBook:
    folder = name if (ROOT / name).is_dir() else name.partition("_")[0]
    return load_book(ROOT / folder / "split.json", name)


@pytest.mark.parametrize(("name", "path"), _committed(), ids=lambda value: str(value)[-24:])
def test_a_committed_book_is_whole_and_drawn_by_the_rule(name: str, path: Path) -> None:
    loaded = load_book(path, name)
    split = loaded.splits[loaded.default]
    assert {draw: loaded.draws[draw] for draw in DRAWS} == numbered_draws(name, split, loaded.sites)
    assert all(part.source for part in (*loaded.splits.values(), *loaded.draws.values()))
    if loaded.default == "ours":
        share = 0.4 if name == "phantom" else 0.3
        again = draw_book(name, split.patients, loaded.sites, share=share)
        assert again.splits["ours"] == split


def test_every_book_is_found() -> None:
    names = {name for name, _ in _committed()}
    assert {"phantom", "promise12", "synapse", "la2018", "acdc", "msd_heart"} <= names


def sizes(name: str, split: str) -> tuple[int, int, int]:
    parts = book(name).splits[split]
    return len(parts.train), len(parts.val), len(parts.test)


@pytest.mark.parametrize(
    ("name", "split", "expected"),
    [
        ("phantom", "ours", (18, 0, 12)),
        ("promise12", "ours", (34, 0, 16)),
        ("promise12", "hsam", (40, 0, 10)),
        ("promise12", "abd", (35, 5, 10)),
        ("synapse", "transunet", (18, 0, 12)),
        ("la2018", "uamt", (80, 0, 20)),
        ("acdc", "ssl4mis", (70, 10, 20)),
        ("msd_braintumour", "ours", (339, 0, 145)),
        ("msd_heart", "ours", (14, 0, 6)),
        ("msd_liver", "ours", (92, 0, 39)),
        ("msd_hippocampus", "ours", (182, 0, 78)),
        ("msd_prostate", "ours", (22, 0, 10)),
        ("msd_lung", "ours", (44, 0, 19)),
        ("msd_pancreas", "ours", (197, 0, 84)),
        ("msd_hepaticvessel", "ours", (212, 0, 91)),
        ("msd_spleen", "ours", (29, 0, 12)),
        ("msd_colon", "ours", (88, 0, 38)),
    ],
)
def test_sizes(name: str, split: str, expected: tuple[int, int, int]) -> None:
    assert sizes(name, split) == expected


def test_promise12_sites() -> None:
    loaded = book("promise12")
    assert Counter(loaded.sites.values()) == {"RUNMC": 13, "UCL": 13, "BIDMC": 12, "HK": 12}
    assert Counter(loaded.sites[case] for case in loaded.splits["ours"].test) == dict.fromkeys(
        ("RUNMC", "UCL", "BIDMC", "HK"), 4
    )
    assert {loaded.sites[case] for case in loaded.draws["0"].patients[:4]} == {
        "RUNMC",
        "UCL",
        "BIDMC",
        "HK",
    }


def test_the_lists_of_hsam() -> None:
    """Counts of the specification: 58, 221 and 224 slices."""
    promise = book("promise12").draws["hsam"]
    assert promise.patients == ("Case29", "Case14", "Case05")
    assert Counter(case for case, _ in promise.slices) == {"Case29": 16, "Case14": 16, "Case05": 26}
    atrium = book("la2018").draws["hsam"]
    assert list(Counter(case for case, _ in atrium.slices).items()) == [
        ("06SR5RBREL16DQ6M8LWS", 60),
        ("0RZDK210BSMWAA6467LU", 56),
        ("1D7CUD1955YZPGK8XHJX", 52),
        ("1GU15S0GJ6PFNARO469W", 56),
    ]
    abdomen = book("synapse").draws["hsam"]
    counts = Counter(case for case, _ in abdomen.slices)
    per_case = [11, 13, 14, 21, 11, 13, 15, 14, 13, 8, 8, 12, 11, 8, 10, 13, 9, 17]
    assert [counts[case] for case in book("synapse").splits["transunet"].train] == per_case
    assert len(abdomen.slices) == 221
    assert not abdomen.patients


def test_published_orders() -> None:
    assert book("acdc").draws["ssl4mis"].patients[:3] == ("patient099", "patient038", "patient050")
    assert book("la2018").draws["uamt"].patients[:4] == book("la2018").draws["hsam"].patients
    abd = book("promise12")
    assert abd.draws["abd"].patients == order_patients(
        "promise12", "abd", abd.splits["abd"].train, abd.sites
    )
    assert abd.splits["abd"].val == ("Case35", "Case36", "Case37", "Case38", "Case39")


def words(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split()


def slice_lines(name: str, draw: str) -> list[str]:
    return [f"{case}_slice{index:03d}" for case, index in book(name).draws[draw].slices]


@pytest.mark.shared
def test_the_hippocampus_list_knows_the_real_cases(shared_data: Path) -> None:
    listed = json.loads((shared_data / "msd/Task04_Hippocampus/dataset.json").read_text())
    cases = {Path(entry["image"]).name.partition(".")[0] for entry in listed["training"]}
    assert len(cases) == 130
    assert cases <= set(book("msd_hippocampus").splits["ours"].patients)


@pytest.mark.shared
def test_the_published_lists_were_carried_over_whole(shared_data: Path) -> None:
    lists = shared_data / "splits"
    assert slice_lines("synapse", "hsam") == words(lists / "H-SAM/lists_Synapse/train_220.txt")
    assert slice_lines("la2018", "hsam") == words(lists / "H-SAM/lists_LA_4/train.txt")
    assert slice_lines("promise12", "hsam") == words(lists / "H-SAM/lists_PROMISE_3/train.txt")

    abdomen = book("synapse").splits["transunet"]
    slices = words(lists / "TransUNet/lists_Synapse/train.txt")
    assert len(slices) == 2211
    assert {line.partition("_")[0] for line in slices} == set(abdomen.train)
    assert set(words(lists / "TransUNet/lists_Synapse/test_vol.txt")) == set(abdomen.test)

    atrium = book("la2018").splits["uamt"]
    assert list(atrium.train) == words(lists / "UA-MT/LA/train.list")
    assert list(atrium.test) == words(lists / "UA-MT/LA/test.list")
    assert set(words(lists / "H-SAM/lists_LA_4/test_vol.txt")) == set(atrium.test)

    prostate = book("promise12").splits
    assert list(prostate["hsam"].test) == words(lists / "H-SAM/lists_PROMISE_3/test_vol.txt")
    assert list(prostate["abd"].test) == words(lists / "ABD/promise12/test.list")
    assert list(prostate["abd"].val) == words(lists / "ABD/promise12/val.list")

    heart = book("acdc").splits["ssl4mis"]
    for part in ("train", "val", "test"):
        lines = words(lists / f"SSL4MIS/ACDC/{part}.list")
        assert {line.partition("_frame")[0] for line in lines} == set(getattr(heart, part))
    order = [
        line.partition("_frame")[0] for line in words(lists / "SSL4MIS/ACDC/train_slices.list")
    ]
    assert book("acdc").draws["ssl4mis"].patients == tuple(dict.fromkeys(order))
    # The first 68 and 136 slices are the 3 and 7 labelled patients of the SSL4MIS papers.
    assert len(set(order[:68])) == 3
    assert len(set(order[:136])) == 7


@pytest.mark.parametrize(("name", "path"), _committed(), ids=lambda value: str(value)[-24:])
def test_one_shot_is_another_patient_in_every_numbered_draw(name: str, path: Path) -> None:
    """Draws that label the same single patient would count as several."""
    loaded = load_book(path, name)
    split = loaded.splits[loaded.default]
    present = {patient: (patient,) for patient in split.patients}
    first = {
        resolve(loaded, draw=draw, shots="1", present=present, foreground={}, probe_patients=3)
        .support[0]
        .patient
        for draw in DRAWS
    }
    assert len(first) == len(DRAWS)
