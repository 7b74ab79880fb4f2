"""The statistics' CSV tables, read back by the standard library."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from bench.board.statcsvs import STATISTICS
from bench.record.schema import Record
from tests.board.factory import save
from tests.board.test_csvs import csvs_of
from tests.board.test_equivalence import curve

Lines = dict[str, list[dict[str, str]]]


def lines(results: Path, *records: Record) -> Lines:
    save(results, *records)
    texts = {name: text for name, text in csvs_of(results).items() if name in STATISTICS}
    return {name: list(csv.DictReader(io.StringIO(text))) for name, text in texts.items()}


def test_the_files_agree_with_the_statistics(tmp_path: Path) -> None:
    found = lines(
        tmp_path,
        *curve("alpha", {"1": 0.5, "5": 0.7}, pretraining_seconds=20.0, converged=4.0),
        *curve("beta", {"1": 0.3, "5": 0.5}, censored=20.0),
        *curve("control_x", {"1": 0.1}, block="control"),
    )
    first = found["pairwise.csv"][0]
    assert (first["family"], first["first"], first["second"]) == ("ranked", "alpha", "beta")
    assert float(first["effect"]) == pytest.approx(0.2)
    # ten patients that all agree: 2 / 1024; two ranked pairs in the table
    assert float(first["p"]) == pytest.approx(2 / 1024, rel=1e-4)
    assert float(first["p_holm"]) == pytest.approx(4 / 1024, rel=1e-4)
    assert float(first["p_draws_holm"]) < 0.05
    assert (first["differ"], first["draws"], first["patients"]) == ("true", "2", "10")
    apart = [r for r in found["pairwise.csv"] if r["family"] == "apart"]
    assert {(r["first"], r["second"], r["second_block"]) for r in apart} == {
        ("alpha", "control_x", "control"),
        ("beta", "control_x", "control"),
    }
    ranks = {(r["row"], r["shots"]): r for r in found["ranks.csv"]}
    assert set(ranks) == {(m, s) for m in ("alpha", "beta") for s in ("1", "5")}
    best = ranks["alpha", "1"]
    assert (best["letters"], best["rank"], best["rank_low"], best["rank_high"]) == (
        *("a", "1", "1", "1"),
    )
    assert (best["patients"], best["few_patients"], best["stability_tau"]) == ("10", "true", "1")
    assert ranks["beta", "1"]["letters"] == "b"
    same = {(r["row"], r["shots"]): r for r in found["equivalence.csv"]}
    assert same["alpha", "5"]["other_shots"] == "not reached"
    assert float(same["alpha", "1"]["other_shots"]) == pytest.approx(5.0)
    times = {(r["row"], r["shots"], r["event"]): r for r in found["times.csv"]}
    assert times["alpha", "1", "converged"]["epochs"] == "4"
    assert times["beta", "1", "converged"]["epochs_beyond"] == "true"
    assert times["beta", "1", "0.7"]["unreached"] == "2"
    ledger = {(r["row"], r["shots"]): r for r in found["ledger.csv"]}
    assert ledger["alpha", "1"]["target_seconds_of_1"] == "125"
    assert ledger["alpha", "1"]["target_seconds_of_20"] == "106"
