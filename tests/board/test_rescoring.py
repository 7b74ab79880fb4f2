"""Kept predictions are scored again and held against the record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.board import rescore
from bench.errors import DataError, RequestError
from bench.record.schema import Record
from bench.score import score_case
from tests.board.factory import record, save

CLASSES = ("organ", "tumour")
SPACING = (2.0, 1.0, 1.0)


def volume(seed: int) -> np.ndarray:
    """Two boxes, shifted a little with the seed."""
    label = np.zeros((6, 20, 20), np.uint8)
    label[1:5, 3 + seed : 12, 4:14] = 1
    label[2:4, 5:9, 6 + seed : 10] = 2
    return label


REFERENCES = {"p000": volume(0), "p001": volume(1)}
PREDICTIONS = {"p000": volume(1), "p001": volume(2)}


def labels(dataset: str, case: str) -> np.ndarray:
    assert dataset == "toy"
    return REFERENCES[case]


def scored(**options: Any) -> Record:
    """A record whose scores are those of PREDICTIONS."""
    made = record(
        [[0.5, 0.5], [0.5, 0.5]], classes=CLASSES, predictions="predictions/k", **options
    ).model_dump()
    for case in made["cases"]:
        found = score_case(
            PREDICTIONS[case["case"]], REFERENCES[case["case"]], SPACING, list(CLASSES)
        )
        case["classes"] = {name: vars(score) for name, score in found.items()}
        case["spacing"] = SPACING
    return Record.model_validate(made)


def keep(results: Path) -> Path:
    folder = results / "predictions" / "k"
    folder.mkdir(parents=True)
    for case, label in PREDICTIONS.items():
        np.savez_compressed(folder / f"{case}.npz", label=label)
    return folder


def test_the_same_scores_again(tmp_path: Path) -> None:
    keep(tmp_path)
    save(tmp_path, scored(), record(method="bare"), record(method="beta", reason="crash"))
    report = rescore(tmp_path, labels)
    assert (report.records, report.cases, report.differences) == (1, 2, ())
    assert report.without == (record(method="bare").key,)


def test_every_difference_is_named(tmp_path: Path) -> None:
    keep(tmp_path)
    made = scored().model_dump()
    made["cases"][1]["classes"]["tumour"] |= {"tp": 99, "hd95": 1.25}
    changed = Record.model_validate(made)
    save(tmp_path, changed)
    truth = score_case(PREDICTIONS["p001"], REFERENCES["p001"], SPACING, list(CLASSES))["tumour"]
    report = rescore(tmp_path, labels)
    assert [(d.case, d.name, d.field, d.recorded) for d in report.differences] == [
        ("p001", "tumour", "tp", 99),
        ("p001", "tumour", "hd95", 1.25),
    ]
    assert str(report.differences[0]) == (
        f"record {changed.key}, case p001, tumour: tp is 99 in the record, "
        f"{truth.tp} when recomputed"
    )


def test_another_reference_shows(tmp_path: Path) -> None:
    keep(tmp_path)
    save(tmp_path, scored())
    report = rescore(tmp_path, lambda dataset, case: np.zeros((6, 20, 20), np.uint8))
    assert {"empty", "dice", "fp"} <= {d.field for d in report.differences}


def test_only_these_keys(tmp_path: Path) -> None:
    keep(tmp_path)
    save(tmp_path, scored())
    assert rescore(tmp_path, labels, keys=["0" * 16]).records == 0
    assert rescore(tmp_path, labels, keys=[scored().key]).records == 1


def test_a_lost_prediction(tmp_path: Path) -> None:
    folder = keep(tmp_path)
    save(tmp_path, scored())
    (folder / "p001.npz").unlink()
    with pytest.raises(DataError, match=r"case p001: its prediction .* is missing; run the unit"):
        rescore(tmp_path, labels)


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "pickle", "no label"])
def test_a_damaged_prediction(tmp_path: Path, damage: str) -> None:
    folder = keep(tmp_path)
    save(tmp_path, scored())
    path = folder / "p000.npz"
    whole = path.read_bytes()
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "other":
        path.write_bytes(b"not an archive at all")
    elif damage == "pickle":
        np.savez(path, label=np.array([{"a": 1}], dtype=object))
    else:
        np.savez(path, mask=PREDICTIONS["p000"])
    with pytest.raises(DataError, match=r"case p000: its prediction .* cannot be read \("):
        rescore(tmp_path, labels)


def test_a_reference_of_another_shape(tmp_path: Path) -> None:
    keep(tmp_path)
    save(tmp_path, scored())
    with pytest.raises(DataError, match=r"case p000: the reference has shape \(5, 20, 20\), the"):
        rescore(tmp_path, lambda dataset, case: REFERENCES[case][:5])


def test_a_record_cannot_lead_out_of_its_folder(tmp_path: Path) -> None:
    results = tmp_path / "results"
    keep(tmp_path)
    made = scored().model_dump()
    made["files"]["predictions"] = "../predictions/k"
    save(results, Record.model_validate(made))
    with pytest.raises(RequestError, match=r"files\.predictions '\.\./predictions/k' leaves the"):
        rescore(results, labels)


def test_a_case_cannot_lead_out_of_its_folder(tmp_path: Path) -> None:
    keep(tmp_path)
    made = scored().model_dump()
    made["cases"][0]["case"] = "../other/p000"
    save(tmp_path, Record.model_validate(made))
    with pytest.raises(DataError, match=r"case \.\./other/p000: its name leads out of"):
        rescore(tmp_path, labels)
