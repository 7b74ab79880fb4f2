"""The page as a person reads it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from bench.board import build
from bench.record.schema import Record
from tests.board.factory import machine, record, save


def page(results: Path, *records: Record) -> str:
    save(results, *records)
    build(results, leaderboard=results / "leaderboard.md")
    return (results / "leaderboard.md").read_text(encoding="utf-8")


def table_after(text: str, title: str) -> list[list[str]]:
    """The cells of the first Markdown table after a line, without header, rule and row's link."""
    lines = text.split(f"{title}\n", 1)[1].split("\n")
    start = next(number for number, line in enumerate(lines) if line.startswith("| "))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").replace("\\|", "¦").split("|")]
        rows.append([re.sub(r"^\[(.*)\]\(\S+#r-\w+\)$", r"\1", cells[0]), *cells[1:]])
    return rows


def test_no_records(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert "There are no records yet." in text
    assert "python -m bench run method=" in text
    assert not (tmp_path / "figures").exists()


def test_opening_and_facts(tmp_path: Path) -> None:
    text = page(
        tmp_path,
        *(record([[0.8], [0.6]], draw=str(d), copy_name="toy, 2 of 9 cases") for d in range(2)),
        record([[0.8], [0.6]], shots="5", copy_name="toy, 2 of 9 cases"),
        record(method="beta", shots="5", reason="crash", copy_name="toy, 2 of 9 cases"),
    )
    assert "`python -m bench board`" in text
    assert "Protocol version 1. 4 records: 3 done, 1 failed or incomplete." in text
    assert "toy, 2 of 9 cases · backbone nano · budget cpu-2min · val=none" in text
    assert "fingerprint ffffffffffff, split ours (eeeeeeeeeeee), classes: organ" in text
    assert "Budget: cpu-2min: 120 s of pre-training and adaptation, 8 probes" in text
    assert "Test patients: 2; draws (shots → draws): 1 → 0, 1; 5 → 0" in text
    assert "- Few test patients: n = 2, fewer than 50: only large differences can be told" in text
    assert "Machine aaaa1111: cpu; Some CPU, 2 cores, 2 threads, 16 GB; Linux 6" in text


def test_a_busy_machine_is_named(tmp_path: Path) -> None:
    """A unit's wait counts above a twentieth of its seconds, pre-training's included."""
    waits = [None, 0.0, 5.0, 5.2, 30.0]
    units = [record(draw=str(draw), seconds=100, waited=w) for draw, w in enumerate(waits)]
    line = (
        "- Busy machine: 2 of 4 units that used more than half of the budget waited for a core for "
        "more than 5% of the time (at most 30%): their budget bought less"
    )
    assert line in page(tmp_path / "busy", *units)
    assert "Busy machine" not in page(tmp_path / "quiet", *units[:3])
    early = [record(seconds=2, waited=1.0)]
    assert "Busy machine" not in page(tmp_path / "early", *early)
    steps = [record(seconds=100, waited=30.0, budget="steps-100", budget_seconds=None)]
    assert "Busy machine" not in page(tmp_path / "steps", *steps)


def test_cells_by_hand(tmp_path: Path) -> None:
    """alpha: patients 0.8 and 0.6, t with one degree of freedom 12.706, error 0.1: past the scale.
    beta: draws 0.5 and 0.5, patients alike: an interval of no width."""
    text = page(
        tmp_path,
        record([[0.8], [0.6]]),
        record([[0.5], [0.5]], method="beta"),
        record([[0.5], [0.5]], method="beta", shots="5"),
        record([[0.5], [0.5]], method="beta", shots="5", draw="1"),
        record([[0.4], [0.4]], shots="5"),
    )
    assert table_after(text, "### Dice") == [
        ["alpha", "**70.0 \\[0.0, 100.0\\]**", "— (1 of 2 missing)"],
        ["beta", "50.0 \\[50.0, 50.0\\]", "50.0 \\[50.0, 50.0\\]"],
    ]


def test_bold_is_for_the_best_and_those_that_reach_it(tmp_path: Path) -> None:
    near = [[0.90], [0.70], [0.80]]
    text = page(
        tmp_path,
        record([[0.84], [0.85], [0.86]], method="best"),
        record(near, method="near"),
        record([[0.30], [0.31], [0.32]], method="far"),
        record([[0.99], [0.99], [0.99]], method="cheat", block="oracle"),
        record([[0.98], [0.98], [0.98]], method="control_x", block="control"),
        record([[0.97], [0.97], [0.97]], method="knows", block="seen"),
    )
    bold = {row[0]: row[1].startswith("**") for row in table_after(text, "### Dice")}
    assert bold == {"best": True, "near": True, "far": False}
    assert table_after(text, "Controls")[0][0] == "control_x"
    assert "**" not in table_after(text, "Controls")[0][1]
    title = "Not ranked: a checkpoint that may have been trained on these patients"
    seen = table_after(text, title)
    assert [row[0] for row in seen] == ["knows"]
    assert "**" not in seen[0][1]
    oracle = table_after(text, "Oracle-prompted: the prompt is made from the test label")
    assert [row[0] for row in oracle] == ["cheat"]
    assert "**" not in oracle[0][1]


def test_the_only_complete_row_is_not_bold(tmp_path: Path) -> None:
    text = page(tmp_path, record([[0.8], [0.7]]), record(method="beta", reason="crash"))
    assert "**" not in table_after(text, "### Dice")[0][1]


def test_epochs_and_costs(tmp_path: Path) -> None:
    text = page(
        tmp_path,
        *(record(draw=str(d), censored=20.0, pretraining_seconds=30.5) for d in range(3)),
        *(record(method="quick", draw=str(d), converged=3.0 + d) for d in range(3)),
        record(method="split", on=machine("bbbb2222", device="gpu"), seconds=7),
        record(method="split", draw="1", seconds=70),
    )
    epochs = dict(table_after(text, "### Epochs to convergence"))
    assert epochs == {"alpha": "&gt;20.0", "quick": "4.0", "split": "— (1 of 3 missing)"}
    slow = table_after(
        text, "### Cost on machine aaaa1111: cpu; Some CPU, 2 cores, 2 threads, 16 GB; Linux 6"
    )
    assert slow[0] == [
        *("alpha", "1", "3", "30.5", "100.0", "130.5", "40.0", "25.0", "120.0", "512 MiB", "—"),
        *("2.06 M", "2.06 M"),
    ]
    assert slow[2][:6] == ["split", "1", "1 (of 3 draws)", "0.0", "70.0", "70.0"]
    fast = table_after(
        text, "### Cost on machine bbbb2222: gpu; Some CPU, 2 cores, 2 threads, 16 GB; Linux 6"
    )
    assert [row[0] for row in fast] == ["split"]
    assert "part of a difference in Dice may be the machine's" in text


def test_empty_masks_are_counted(tmp_path: Path) -> None:
    text = page(tmp_path, record([[0.9], ["both"], ["missed"], ["false_positive"]]))
    assert table_after(text, "### Empty masks") == [["alpha", "1", "1", "1", "1", "0.1"]]


def test_nothing_to_score(tmp_path: Path) -> None:
    text = page(tmp_path, record([["both"], ["both"]]))
    assert table_after(text, "### Dice") == [["alpha", "— (nothing to score)"]]


def test_failed_units_with_reasons(tmp_path: Path) -> None:
    failed = record(method="beta", shots="5", draw="2", reason="CUDA out of memory" + "!" * 300)
    text = page(tmp_path, record(), failed)
    [row] = table_after(text, "## Failed units")
    assert row[:5] == ["1", "beta", "5", "2", "0"]
    assert row[5].startswith("CUDA out of memory!")
    assert row[5].endswith("…")
    assert len(row[5]) == 160
    assert row[6] == failed.key


def test_a_failure_in_two_sections_is_listed_once(tmp_path: Path) -> None:
    text = page(
        tmp_path,
        record(backbone="nano"),
        record(backbone="base"),
        record(method="unet", backbone="none", reason="crash"),
    )
    assert [row[:2] for row in table_after(text, "## Failed units")] == [["1, 2", "unet"]]
    assert "3 records: 2 done, 1 failed or incomplete." in text


def test_versions_are_named_and_apart(tmp_path: Path) -> None:
    text = page(tmp_path, record(), record(protocol=2))
    assert "Protocol versions 1, 2 (never in one table)." in text
    assert text.count("### Dice") == 2


def test_foreign_text_cannot_break_out(tmp_path: Path) -> None:
    nasty = 'x|y<script>alert(1)</script>\n\n# H \x1b[31mred `c` [l](u) "q" ](z)'
    text = page(
        tmp_path,
        record(overrides={"note": nasty}, title=nasty, copy_name=nasty, classes=(nasty,)),
        record(method="beta", reason=nasty, copy_name=nasty, classes=(nasty,)),
    )
    assert "<script" not in text
    assert "\x1b" not in text
    assert not [line for line in text.split("\n") if line.startswith("# H")]
    [row] = table_after(text, "### Dice")[:1]
    assert len(row) == 2
    assert "x¦y&lt;script&gt;" in row[0]
    # links end where they should
    [first] = [line for line in text.split("\n") if line.startswith("| [x")]
    assert first.split("](#t-")[0].count("](") == first.split("](#t-")[0].count("\\](")
    [entry] = [line for line in text.split("\n") if line.startswith("1. [")]
    assert entry.count("](") == entry.count("\\](") + 1


def test_figures_are_linked_from_where_the_page_is(tmp_path: Path) -> None:
    results = tmp_path / "some results"
    save(results, record())
    build(results, leaderboard=tmp_path / "leaderboard.md")
    text = (tmp_path / "leaderboard.md").read_text()
    links = [part.split(")")[0] for part in text.split("![")[1:] for part in [part.split("](")[1]]]
    assert len(links) == 3
    assert all((tmp_path / link.replace("%20", " ")).is_file() for link in links)


def opening(text: str) -> list[list[str]]:
    """The first table of the page."""
    return table_after("# Leaderboard\n" + text.split("# Leaderboard\n")[1], "# Leaderboard")


def test_the_first_table_by_hand(tmp_path: Path) -> None:
    """best and near differ by chance alone; far is far; the control is beaten."""
    random = np.random.default_rng(1)
    luck = random.normal(0, 0.05, 20)

    def scores(base: float, noise: float = 0.01) -> list[list[float]]:
        return [
            [round(base + a + b, 3)] for a, b in zip(luck, random.normal(0, noise, 20), strict=True)
        ]

    made = [
        record(s, method=name, block=block, draw=str(d), seconds=seconds)
        for name, block, base, seconds in (
            *(("best", "method", 0.802, 90.0), ("near", "method", 0.8, 30.0)),
            *(("far", "method", 0.5, 10.0), ("control_x", "control", 0.2, 0.0)),
        )
        for d in range(3)
        for s in [scores(base)]
    ]
    [line] = opening(page(tmp_path, *made))
    key = made[0]
    assert line[0].startswith("[toy · nano · cpu-2min](#t-")
    assert line[1:3] == ["1", "**best**, near"]
    assert line[3].startswith("80.")
    assert line[4:] == ["100; near: 40", "512 MiB", "yes", "20"]  # 20 cases of half a second
    assert key.request.method == "best"


def test_the_first_table_says_what_beats_no_control(tmp_path: Path) -> None:
    one, two = opening(
        page(
            tmp_path,
            record([[0.5], [0.6]] * 4),
            record([[0.5], [0.6]] * 4, method="control_x", block="control"),
            record(shots="5", reason="crash"),
            record(method="control_x", block="control", shots="5"),
        )
    )
    assert one[2] == "**alpha**; the only complete row"
    assert one[6] == "no: control\\_x" or one[6] == "no: control_x"
    assert two[2] == "— (no complete row)"


@pytest.mark.parametrize(("patients", "few"), [(5, True), (6, False)])
def test_the_first_table_says_where_no_difference_could_be_shown(
    tmp_path: Path, patients: int, few: bool
) -> None:
    """One pair in each family. Five patients that agree have p = 2 / 2**5 = 0.0625, six 0.03."""
    made = [
        record([[base + 0.01 * n] for n in range(patients)], method=name, block=block, seconds=cost)
        for name, block, base, cost in (
            *(("best", "method", 0.8, 90.0), ("far", "method", 0.3, 30.0)),
            ("control_x", "control", 0.1, 0.0),
        )
    ]
    [line] = opening(page(tmp_path, *made[:2]))
    words = "**best**; 5 patients are too few to tell any two rows apart"
    assert (line[2] == words) is few
    assert "far" not in line[4], "the cheapest of a group that nothing tells apart"
    [line] = opening(page(tmp_path / "alone", made[0], made[2]))
    assert (line[6] == "5 patients are too few to say") is few


def test_many_lines_give_way_to_those_of_the_largest_tables(tmp_path: Path) -> None:
    made = [record(dataset=f"set{n}", shots=str(s)) for n in range(12) for s in range(1, 5)]
    large = [record(dataset="set3", shots=str(s), draw="1") for s in range(1, 5)]
    text = page(tmp_path, *made, *large)
    assert "The 40 lines of the largest tables; of 48." in text
    lines = opening(text)
    assert len(lines) == 40
    assert "set3" in {line[0][1:].split(" ")[0] for line in lines}


def test_a_row_leads_to_its_records(tmp_path: Path) -> None:
    made = record(overrides={"note": "a (b) [c]"}, dataset="toy set")
    failed = record(overrides={"note": "a (b) [c]"}, dataset="toy set", draw="1", reason="no|pe")
    text = page(tmp_path, made, failed)
    [target, anchor] = re.findall(r"\]\((tables/\S+\.md)#(r-\w+)\)", text)[0]
    records = (tmp_path / target).read_text()
    assert f'<a id="{anchor}"></a>' in records
    for one, words in ((made, "draw 0, seed 0, machine"), (failed, "failed: no\\|pe")):
        [link] = re.findall(rf"- \[{one.key}\]\((\S+)\): (.*)", records)
        assert words in link[1]
        assert (tmp_path / "tables" / unquote(link[0])).resolve().is_file()
