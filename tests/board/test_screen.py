"""The tables in a terminal of 80 columns."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from bench.board import terminal
from bench.board.reading import read_units
from tests.board.factory import record, save


def shown(results: Path, *, width: int = 80) -> str:
    buffer = io.StringIO()
    Console(file=buffer, width=width, color_system=None).print(terminal(read_units(results)))
    return buffer.getvalue()


def test_no_records(tmp_path: Path) -> None:
    assert "No records yet" in shown(tmp_path)


def test_means_missing_cells_and_failures(tmp_path: Path) -> None:
    save(
        tmp_path,
        *(record([[0.5], [0.5]], draw=str(d)) for d in range(3)),
        record(method="beta", reason="out of memory"),
        record([[0.1]], method="control_x", block="control"),
    )
    text = shown(tmp_path)
    assert "toy · backbone nano · cpu-2min · val=none" in text
    assert "50.0" in text
    assert "[50.0, 50.0]" in text
    assert "n = 2, fewer than 50: only large differences can be told apart" in text
    assert "3 of 3 missing" in text
    assert "2 of 3 missing" in text
    assert "control_x (control)" in text
    assert "failed: beta, 1 shot, draw 0: out of memory" in text
    assert f"record {record(method='beta', reason='x').key}" in text


def test_it_fits_eighty_columns(tmp_path: Path) -> None:
    """Long names fold, further shot counts follow below: nothing is cut."""
    name = "a_method_with_a_name_that_is_far_longer_than_a_column"
    for shots in ("1", "5", "10", "20", "50", "100%"):
        save(tmp_path, record([[0.512], [0.734]], method=name, shots=shots))
        save(tmp_path, record([[0.1], [0.2]], shots=shots, method="b", reason="x" * 300))
    text = shown(tmp_path)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("62.3") == 6
    assert text.count("[0.0, 100.0]") == 6
    folded = "".join(line.split("│")[1].strip() for line in text.splitlines() if "│" in line)
    assert name in folded
    assert "100% shot" in text


def test_of_many_tables_the_largest(tmp_path: Path) -> None:
    for number in range(13):
        save(tmp_path, *(record(dataset=f"d{number:02d}", draw=str(d)) for d in range(2)))
    save(tmp_path, record(dataset="small"), record(dataset="a_small"))
    text = shown(tmp_path)
    assert [f"d{n:02d} ·" in text for n in range(13)] == [*[True] * 12, False]
    assert "small ·" not in text
    assert text.endswith("... and 3 smaller tables: the page has them\n")


def test_foreign_text_is_neither_markup_nor_terminal_code(tmp_path: Path) -> None:
    save(
        tmp_path,
        record(copy_name="\x1b[2Jcopy [bold]x[/bold]", overrides={"a": "[/red]\x1b[31m"}),
        record(method="beta", reason="\x1b]0;pwn\x07 [link=x]", copy_name="\x1b[2Jcopy"),
    )
    text = shown(tmp_path)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "copy [bold]x[/bold]" in text
    assert "alpha a=[/red]" in text
    assert "[link=x]" in text


def test_many_failures_are_counted(tmp_path: Path) -> None:
    save(tmp_path, *(record(draw=str(d), reason="crash") for d in range(14)))
    text = shown(tmp_path)
    assert text.count("failed: ") == 10
    assert "... and 4 more" in text
