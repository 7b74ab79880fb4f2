"""Records -> tables: what stands together, what is complete, what is counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.board.cells import Cell
from bench.board.reading import read_units
from bench.board.tables import Column, Table, every_unit, tables_of
from bench.record.schema import Record
from tests.board.factory import machine, record, save


def tables(results: Path, *records: Record) -> list[Table]:
    save(results, *records)
    return tables_of(read_units(results))


def cell(table: Table, label: str, shots: str = "1", draw: str = "") -> Cell:
    return next(r for r in table.rows if r.label == label).cells[Column(shots, draw)]


def test_mean_over_draws_classes_and_patients(tmp_path: Path) -> None:
    """Patient one has two cases and counts once; class two is empty in patient two."""
    first = {"a/1": [0.8, 0.5], "a/2": [0.6, 0.7], "b/1": [0.3, "both"]}
    second = {"a/1": [0.4, 0.4], "a/2": [0.4, 0.4], "b/1": [0.4, "both"]}
    kwargs = {"classes": ("organ", "tumour")}
    [table] = tables(tmp_path, record(first, **kwargs), record(second, draw="1", **kwargs))
    found = cell(table, "alpha")
    # draw 0: organ (0.7 + 0.3) / 2 = 0.5, tumour 0.6; draw 1: 0.4 and 0.4
    assert found.dice is not None
    assert found.dice.mean == pytest.approx((0.55 + 0.4) / 2)
    assert found.dice.patients == 2
    assert found.empties == {("both", "tumour"): 2}
    assert found.iou is not None
    iou = [d / (2 - d) for d in (0.8, 0.6, 0.3, 0.5, 0.7)]
    organ, tumour = ((iou[0] + iou[1]) / 2 + iou[2]) / 2, (iou[3] + iou[4]) / 2
    assert found.iou.mean == pytest.approx(((organ + tumour) / 2 + 0.4 / 1.6) / 2)


def test_missed_and_false_positive_count_as_zero(tmp_path: Path) -> None:
    scores = [[0.9], ["missed"], ["false_positive"], ["both"]]
    [table] = tables(tmp_path, record(scores))
    found = cell(table, "alpha")
    assert found.dice is not None
    assert found.dice.mean == pytest.approx(0.3)
    assert found.empties == {
        ("missed", "organ"): 1,
        ("false_positive", "organ"): 1,
        ("both", "organ"): 1,
    }
    assert found.false_volume == pytest.approx(50 * 2.0 / 1000)  # 50 voxels of 2 mm3, in ml


def test_volumes_without_spacing_are_voxels(tmp_path: Path) -> None:
    [table] = tables(tmp_path, record([["false_positive"]], spacing_from="unknown"))
    found = cell(table, "alpha")
    assert (found.false_volume, found.units[0].volume_unit) == (50, "voxels")


def test_a_cell_needs_all_draws_that_any_row_has_done(tmp_path: Path) -> None:
    [table] = tables(
        tmp_path,
        *(record(draw=str(draw)) for draw in range(3)),
        record(method="beta", draw="0"),
        record(method="gamma", draw="0", reason="out of memory"),
        record(method="gamma", draw="7", reason="time-out"),
        record(method="delta", shots="5"),
    )
    assert cell(table, "alpha").complete
    beta, gamma = cell(table, "beta"), cell(table, "gamma")
    assert (beta.missing, beta.required, beta.dice) == (2, ("0", "1", "2"), None)
    # its own failed draw 7 is asked of gamma, and of nobody else
    assert (gamma.missing, gamma.required) == (4, ("0", "1", "2", "7"))
    assert cell(table, "alpha").required == ("0", "1", "2")
    assert cell(table, "alpha", "5").missing == 1
    assert [unit.problem for unit in table.failed] == ["out of memory", "time-out"]


def test_a_done_record_that_lacks_a_test_case_is_missing(tmp_path: Path) -> None:
    short = record([[0.8]], test=["p000", "p001"])
    [table] = tables(tmp_path, short, record([[0.8], [0.7]], draw="1"))
    assert cell(table, "alpha").missing == 1
    assert [unit.problem for unit in table.failed] == ["no score for test case p001"]


def test_a_done_record_that_lacks_a_class_is_missing(tmp_path: Path) -> None:
    whole = record([[0.8, 0.7]], classes=("organ", "tumour")).model_dump()
    del whole["cases"][0]["classes"]["tumour"]
    [table] = tables(tmp_path, Record.model_validate(whole))
    assert [unit.problem for unit in table.failed] == ["no score for tumour in case p000"]


def test_what_never_shares_a_table(tmp_path: Path) -> None:
    found = tables(
        tmp_path,
        record(),
        record(fingerprint="d" * 64),
        record(copy_name="toy, 3 of 5 cases"),
        record(protocol=2),
        record(backbone="base", checkpoints={"sam": "vit_b"}),
        record(budget="cpu-10min", budget_seconds=600),
        record(budget_seconds=60),
        record(val="oracle"),
        record(split="published"),
        record(checkpoints={"sam": "vit_b"}),
    )
    assert len(found) == 10
    assert all(len(table.units) == 1 for table in found)
    odd = next(t for t in found if t.key.backbone == "nano" and t.key.weights == "published")
    assert odd.checkpoints == (("sam", "vit_b"),)


def test_a_method_without_a_backbone_joins_every_backbone(tmp_path: Path) -> None:
    alone = record(method="unet", backbone="none")
    found = tables(
        tmp_path,
        alone,
        record(method="unet", backbone="none", budget_seconds=60),
        record(backbone="nano", checkpoints={"sam": "nano"}),
        record(backbone="base", checkpoints={"sam": "vit_b"}),
    )
    assert [(t.key.backbone, t.key.budget.seconds) for t in found] == [
        *(("nano", 120), ("base", 120), ("none", 60)),
    ]
    assert [sorted(row.label for row in t.rows) for t in found] == [
        *(["alpha", "unet"], ["alpha", "unet"], ["unet"]),
    ]
    assert len(every_unit(found)) == 4


def test_overrides_code_and_weights_make_rows(tmp_path: Path) -> None:
    [table] = tables(
        tmp_path,
        record(),
        record(overrides={"lr": 1e-4, "depth": 3}),
        record(method="beta", source="1" * 64),
        record(method="beta", source="2" * 64, draw="0"),
        record(method="gamma", checkpoints={"sam": "nano"}),
        record(method="gamma", checkpoints={"sam": "nano2"}),
        record(method="delta", options={"width": 8}),
        record(method="delta", options={"width": 16}),
    )
    assert {row.label for row in table.rows} == {
        *("alpha", "alpha depth=3 lr=0.0001", "beta (source 1111111)", "beta (source 2222222)"),
        *("gamma sam=nano", "gamma sam=nano2", "delta width=8", "delta width=16"),
    }


def test_failures_of_mended_code_have_no_row(tmp_path: Path) -> None:
    broken = record(source="1" * 64, reason="bug", shots="5")
    [table] = tables(tmp_path, broken, record(source="2" * 64), record(method="beta", reason="bug"))
    assert [row.label for row in table.rows] == ["alpha", "beta"]
    assert [column.label for column in table.columns] == ["1"]
    assert cell(table, "alpha").complete
    assert [unit.key for unit in table.failed] == [
        broken.key,
        record(method="beta", reason="bug").key,
    ]


def test_a_failure_that_later_succeeded_is_no_gap(tmp_path: Path) -> None:
    [table] = tables(tmp_path, record(reason="out of memory", key="a" * 16), record(key="b" * 16))
    assert cell(table, "alpha").complete


def test_seeds_are_averaged_within_a_draw(tmp_path: Path) -> None:
    [table] = tables(
        tmp_path,
        record([[0.2], [0.4]], seed=0),
        record([[0.4], [0.6]], seed=1),
        record([[0.8], [0.8]], draw="1"),
    )
    found = cell(table, "alpha").dice
    assert found is not None
    assert (found.draws, found.mean) == (2, pytest.approx((0.4 + 0.8) / 2))


def test_a_failed_seed_leaves_its_draw_incomplete(tmp_path: Path) -> None:
    [table] = tables(tmp_path, record(seed=0), record(seed=1, reason="crash"))
    assert cell(table, "alpha").missing == 1


def test_named_draws_have_their_own_column(tmp_path: Path) -> None:
    [table] = tables(
        tmp_path, record(shots="5"), record(shots="5", draw="samed"), record(shots="20s")
    )
    assert [column.label for column in table.columns] == ["5", "5 (samed)", "20s"]
    assert cell(table, "alpha", "5", "samed").required == ("samed",)


def test_a_column_that_few_rows_have_orders_nothing(tmp_path: Path) -> None:
    """At 20 shots alpha was run alone; at 5 all three were, and that says who is first."""
    scores = {"alpha": 0.3, "beta": 0.7, "gamma": 0.5}
    [table] = tables(
        tmp_path,
        *(record([[1 - s]], method=name, shots="1") for name, s in scores.items()),
        *(record([[s]], method=name, shots="5") for name, s in scores.items()),
        record([[0.9]], shots="20"),
    )
    assert [row.label for row in table.rows] == ["beta", "gamma", "alpha"]


def test_order_of_blocks_and_rows(tmp_path: Path) -> None:
    [table] = tables(
        tmp_path,
        record([[0.9]], method="oracle_box", block="oracle"),
        record([[0.95]], method="control_x", block="control"),
        record([[0.5]], method="low"),
        record([[0.7]], method="high"),
        record(method="absent", reason="crash"),
    )
    assert [row.label for row in table.rows] == ["high", "low", "absent", "control_x", "oracle_box"]


def test_timings_of_two_machines_stay_apart(tmp_path: Path) -> None:
    fast = machine("bbbb2222", device="gpu")
    [table] = tables(
        tmp_path,
        record(seconds=100, pretraining_seconds=20, samples_per_second=10),
        record(draw="1", seconds=110, pretraining_seconds=20, samples_per_second=30),
        record(draw="2", seconds=5, samples_per_second=900, on=fast),
    )
    slow_cost, fast_cost = cell(table, "alpha").costs
    assert slow_cost.machine.fingerprint == "aaaa1111"
    assert slow_cost.medians["total_seconds"] == 125
    assert slow_cost.medians["train_samples_per_second"] == 20
    assert fast_cost.medians["train_samples_per_second"] == 900
    assert fast_cost.medians["peak_device_bytes"] is None
    assert [m.fingerprint for m in table.machines] == ["aaaa1111", "bbbb2222"]


def test_epochs_to_convergence(tmp_path: Path) -> None:
    [table] = tables(
        tmp_path,
        *(record(draw=str(d), converged=c) for d, c in enumerate([4.0, 9.0])),
        record(draw="2", censored=20.0),
        *(record(method="slow", draw=str(d), censored=20.0) for d in range(3)),
        *(record(method="untrained", draw=str(d)) for d in range(3)),
    )
    fast, slow = cell(table, "alpha").epochs, cell(table, "slow").epochs
    assert fast is not None
    assert (fast.value, fast.beyond) == (9.0, False)
    assert slow is not None
    assert (slow.value, slow.beyond) == (20.0, True)
    assert cell(table, "untrained").epochs is None
