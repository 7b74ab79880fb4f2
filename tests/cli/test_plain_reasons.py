"""Reasons, titles and notes come out of files that anybody may have written: none of them steers
the terminal, whichever verb prints it."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from bench.cli import run, status
from bench.executors.survey import Standing, Survey
from bench.record.schema import Files, Record
from bench.record.store import write_record
from bench.unit.trail import path_of
from tests.executors.conftest import MakeUnit, make_unit  # noqa: F401
from tests.record.conftest import whole

HOSTILE = "\x1b[2J\x1b]0;owned\x07out of luck\r\nand more"
PLAIN = "?[2J?]0;owned?out of luck and more"


@pytest.fixture
def found() -> Survey:
    standing = Standing("k1", "a title", "failed", where=HOSTILE, reason=HOSTILE)
    return Survey((standing,), "run " + HOSTILE, "note " + HOSTILE, Counter({"failed": 1}))


def test_status_in_lines(
    found: Survey,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(status, "survey", lambda results: found)
    assert status.main([f"results={tmp_path}", "--once"], ()) == 1
    printed = capsys.readouterr().out
    assert all(line.isprintable() for line in printed.splitlines())
    assert printed.count(PLAIN) == 4
    assert len(printed.splitlines()) == 4


def test_status_in_a_terminal(found: Survey) -> None:
    screen = io.StringIO()
    Console(file=screen, width=200).print(status.view(found))
    assert screen.getvalue().count(PLAIN) == 3
    assert all(line.isprintable() for line in screen.getvalue().splitlines())


def test_the_end_of_a_run(
    make_unit: MakeUnit,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    unit = make_unit()
    made = Record.model_validate({**whole(), "key": unit.key, "status": "failed"})
    files = Files(log=HOSTILE)
    write_record(path_of(unit), made.model_copy(update={"reason": HOSTILE, "files": files}))
    plan: Any = SimpleNamespace(units=[unit])
    assert run.report(plan) == 1
    printed = capsys.readouterr().out
    assert all(line.isprintable() for line in printed.splitlines())
    assert f"failed: {unit.title}: {PLAIN}\n" in printed
    assert printed.count(PLAIN) == 2
