"""The CSV tables, read back by the standard library."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from bench.board.csvs import csv_files, lines_of
from bench.board.reading import read_units
from bench.board.statistics import statistics_of
from bench.board.tables import tables_of
from bench.record.schema import Record
from tests.board.factory import machine, record, save

Lines = dict[str, list[dict[str, str]]]


def lines(results: Path, *records: Record) -> Lines:
    save(results, *records)
    return {name: list(csv.DictReader(io.StringIO(s))) for name, s in csvs_of(results).items()}


def csvs_of(results: Path) -> dict[str, str]:
    units = read_units(results)
    return csv_files([lines_of(statistics_of(table)) for table in tables_of(units)], units)


def test_long_has_a_line_for_every_unit_case_and_class(tmp_path: Path) -> None:
    first = record(
        {"b/2": [0.5, "both"], "a/1": ["missed", 0.25]},
        classes=("organ", "tumour"),
        overrides={"lr": 0.1},
    )
    found = lines(tmp_path, first, record(method="beta", reason="crash"))["long.csv"]
    assert [(r["case"], r["patient"], r["class"]) for r in found] == [
        *[("a_1", "a", "organ"), ("a_1", "a", "tumour")],
        *[("b_2", "b", "organ"), ("b_2", "b", "tumour")],
    ]
    assert {r["key"] for r in found} == {first.key}
    missed, quarter, half, both = found
    assert (missed["dice"], missed["hd95"], missed["empty"]) == ("0", "90", "missed")
    assert (quarter["tp"], quarter["fp"], quarter["fn"], quarter["dice"]) == (
        *("250", "750", "750"),
        "0.25",
    )
    assert half["iou"] == "0.333333"
    assert (both["dice"], both["hd95"], both["empty"]) == ("", "", "both")
    assert half["overrides"] == "lr=0.1"
    assert (half["dataset"], half["shots"], half["budget"], half["val"]) == (
        *("toy", "1", "cpu-2min", "none"),
    )


def test_a_unit_of_several_tables_is_in_long_and_units_once(tmp_path: Path) -> None:
    found = lines(
        tmp_path,
        *(record(backbone=name) for name in ("nano", "base")),
        record(method="unet", backbone="none"),
    )
    for name in ("long.csv", "units.csv"):
        assert [r["backbone"] for r in found[name] if r["method"] == "unet"] == ["none"]
    assert [r["backbone"] for r in found["dice.csv"] if r["row"] == "unet"] == ["nano", "base"]


def test_units_hold_failures_with_their_whole_reason(tmp_path: Path) -> None:
    reason = "x" * 500 + "\nsecond | line"
    found = lines(tmp_path, record(), record(method="beta", reason=reason))["units.csv"]
    failed = next(r for r in found if r["method"] == "beta")
    assert (failed["status"], failed["problem"]) == ("failed", "x" * 500 + " second | line")
    done = next(r for r in found if r["method"] == "alpha")
    assert (done["problem"], done["total_seconds"]) == ("", "100")
    assert (done["peak_host_bytes"], done["peak_device_bytes"]) == (str(512 * 2**20), "")
    assert done["trainable_parameters"] == "2060000"


def test_cells_and_wide_tables_agree(tmp_path: Path) -> None:
    found = lines(
        tmp_path,
        *(record([[0.5 + d / 10], [0.7 + d / 10]], draw=str(d), censored=20.0) for d in range(2)),
        record([[0.4], [0.6]], shots="5", converged=7.5),
        record([[0.4], [0.6]], method="beta", converged=3.0),
    )
    cells = {(r["row"], r["shots"]): r for r in found["cells.csv"]}
    assert float(cells["alpha", "1"]["dice_mean"]) == pytest.approx(0.65)
    # draw means 0.6 and 0.7, patient means 0.55 and 0.75: squared errors 0.005 / 2 and 0.02 / 2
    assert float(cells["alpha", "1"]["dice_draw_variance"]) == pytest.approx(0.0025)
    assert float(cells["alpha", "1"]["dice_patient_variance"]) == pytest.approx(0.01)
    assert float(cells["alpha", "1"]["dice_patient_share"]) == pytest.approx(0.8)  # 0.02 and 0.005
    assert float(cells["alpha", "1"]["dice_draw_share"]) == pytest.approx(0.2)
    assert (cells["beta", "1"]["draws_required"], cells["beta", "1"]["draws_done"]) == ("2", "1")
    assert cells["beta", "1"]["dice_mean"] == ""
    assert cells["alpha", "1"]["epochs_censored"] == "true"
    dice = {r["row"]: r for r in found["dice.csv"]}
    assert (dice["alpha"]["1"], dice["alpha"]["5"]) == ("0.65", "0.5")
    assert (dice["beta"]["1"], dice["beta"]["5"]) == ("missing 1 of 2", "missing 1 of 1")
    epochs = {r["row"]: r for r in found["epochs_to_converge.csv"]}
    assert (epochs["alpha"]["1"], epochs["alpha"]["5"]) == (">20", "7.5")
    assert float(next(r for r in found["iou.csv"] if r["row"] == "alpha")["5"]) == pytest.approx(
        (0.4 / 1.6 + 0.6 / 1.4) / 2, abs=1e-6
    )


def test_throughput_is_a_line_for_each_machine(tmp_path: Path) -> None:
    found = lines(
        tmp_path,
        record(samples_per_second=10),
        record(draw="1", samples_per_second=500, on=machine("bbbb2222", device="gpu")),
    )
    assert {r["machine"]: r["1"] for r in found["throughput.csv"]} == {
        "aaaa1111": "10",
        "bbbb2222": "500",
    }
    assert {(r["machine"], r["units"], r["draws_required"]) for r in found["costs.csv"]} == {
        ("aaaa1111", "1", "2"),
        ("bbbb2222", "1", "2"),
    }


def test_no_records_give_headers_only(tmp_path: Path) -> None:
    assert read_units(tmp_path) == []
    texts = csv_files([], [])
    assert {text.count("\n") for text in texts.values()} == {1}
