"""`bench.load_results` against the records themselves and the board's own reading of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bench
from bench.board.reading import read_units
from bench.board.units import unit_dice
from bench.errors import RequestError
from tests.board.factory import record, save


@pytest.fixture(scope="module")
def committed(project_root: Path) -> bench.Results:
    return bench.load_results(project_root / "results")


def test_the_committed_records_are_what_the_board_reads(
    committed: bench.Results, project_root: Path
) -> None:
    units = {unit.key: unit for unit in read_units(project_root / "results")}
    frame = committed.units.set_index("key")
    assert list(frame.index) == sorted(units)
    assert len(units) > 100
    for key, row in frame.iterrows():
        unit = units[str(key)]
        assert row["dice"] == pytest.approx(unit_dice(unit), abs=1e-12)
        assert (row["method"], row["shots"], row["draw"]) == (
            unit.variant.method,
            unit.shots,
            unit.draw,
        )
        assert row["table"] == unit.table.id
        assert row["overrides"] == " ".join(unit.variant.overrides)
        assert row["seconds"] == unit.cost.total_seconds
        assert row["inference_seconds"] == unit.cost.inference_seconds
        assert row["converged_epochs"] == pytest.approx(
            np.nan if unit.converged is None else unit.converged, nan_ok=True
        )
    assert len(committed.curve) == sum(len(unit.curve) for unit in units.values())


def test_the_scores_are_the_rows_of_the_long_table(
    committed: bench.Results, project_root: Path
) -> None:
    """results/tables/long.csv was written from the records by other code."""
    table = pd.read_csv(project_root / "results/tables/long.csv", dtype={"key": str, "case": str})
    index = ["key", "case", "class"]
    wide = committed.scores.pivot(index=index, columns="measure", values="value")
    theirs = table.set_index(index).sort_index()
    assert list(wide.index) == list(theirs.index)
    for name in ("tp", "fp", "fn", "dice", "iou", "hd95", "assd", "nsd"):
        assert np.allclose(wide[name], theirs[name], rtol=1e-5, atol=1e-6, equal_nan=True)


def test_a_made_folder_in_full(tmp_path: Path) -> None:
    probe = {"epochs": 2, "steps": 10, "samples": 80, "seconds": 3.5, "loss": None, "dice": 0.25}
    done = record(
        {"a/1": (0.5, "both"), "a/2": (0.7, "missed"), "b": (0.9, "both")},
        classes=("organ", "nodule"),
        overrides={"lr": 0.01, "aug": True},
        pretraining_seconds=7.0,
        seconds=100.0,
        shots="10%",
        curve=[{**probe, "classes": {}}],
        key="a" * 16,
    )
    failed = record(reason="out of memory", method="beta", key="b" * 16)
    short = record({"c": (0.5,)}, test=["c", "d"], method="gamma", key="c" * 16)
    save(tmp_path, short, failed, done)
    found = bench.load_results(str(tmp_path))
    units = found.units.set_index("key")
    assert list(units.index) == ["a" * 16, "b" * 16, "c" * 16]
    first = units.loc["a" * 16]
    # organ: a is (0.5 + 0.7) / 2, b 0.9; nodule: a alone, missed.
    assert first["dice"] == pytest.approx(((0.6 + 0.9) / 2 + 0) / 2)
    assert (first["overrides"], first["shots"]) == ("aug=true lr=0.01", "10%")
    assert (first["seconds"], first["pretraining_seconds"]) == (107.0, 7.0)
    assert first["inference_seconds"] == 1.5
    assert units["status"].tolist() == ["done", "failed", "done"]
    assert pd.isna(first["reason"])
    assert units["reason"].tolist()[1:] == ["out of memory", "no score for test case d"]
    assert units["dice"].isna().tolist() == [False, True, True]
    assert units["isolation"].isna().all()
    assert found.curve.values.tolist()[0][:4] == ["a" * 16, 10, 3.5, 2.0]
    assert np.isnan(found.curve["loss"][0])
    assert found.curve["dice"][0] == 0.25
    scores = found.scores.set_index(["key", "case", "class", "measure"])["value"]
    assert len(scores) == (3 * 2 + 1) * 8
    assert scores["a" * 16, "a_2", "nodule", "hd95"] == 90
    assert np.isnan(scores["a" * 16, "b", "nodule", "dice"])
    assert scores["a" * 16, "b", "nodule", "tp"] == 0
    # The same columns and types, whether all failed or none did.
    save(tmp_path / "alone", failed)
    alone = bench.load_results(tmp_path / "alone")
    for name in ("units", "scores", "curve"):
        both = [getattr(results, name).dtypes.to_dict() for results in (found, alone)]
        assert list(both[0]) == list(both[1])
    assert alone.units["dice"].isna().tolist() == [True]
    assert alone.scores.empty
    assert alone.curve.empty


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    def refused(message: str) -> None:
        with pytest.raises(RequestError) as caught:
            bench.load_results(tmp_path)
        assert message in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1

    refused(f"{tmp_path} holds no record: give the results folder, which has records/ in it")
    (path,) = save(tmp_path, record())
    text = path.read_text()
    path.write_text(text[:-40])
    refused(f"record {path}: ")
    content = json.loads(text)
    content["cases"][0]["classes"]["organ"]["dice"] = 0.99
    path.write_text(json.dumps(content))
    refused("dice is 0.99, by its counts 0.800000; it was changed by hand")
    path.write_text(text)
    twin = path.with_name("shots1-twin.json")
    twin.write_text(text)
    refused("have the same key")
    with pytest.raises(RequestError, match="gone: there is no such folder"):
        bench.load_results(tmp_path / "gone")
