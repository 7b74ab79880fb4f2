"""What is broken fails alone, with one line; the sweep goes on."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.record.schema import Record
from tests.cheats.conftest import Cheats, records_of
from tests.cheats.fates import BREAKS
from tests.conftest import Outcome

ELSEWHERE = ("hang_adapt", "hang_predict", "slow_predict", "disk")
"""They need limits of their own."""
KNOWN = (
    *("shape", "nan", "dtype", "list", "interrupts", "yields_text", "escapes", "returns_list"),
    *("huge", "oversized"),
)
"""Other tests hold the same lines from inside: these run where cheats run one by one."""
QUICK = tuple(name for name in BREAKS if name not in (*ELSEWHERE, *KNOWN))
Swept = tuple[Outcome, dict[str, Record]]


def sweep(cheats: Cheats, results: Path, names: tuple[str, ...]) -> Swept:
    done = cheats.run(*("breaks_nothing", *(f"breaks_{name}" for name in names)), results=results)
    return done, records_of(results)


@pytest.fixture(scope="module")
def swept(cheats: Cheats, tmp_path_factory: pytest.TempPathFactory) -> Swept:
    return sweep(cheats, tmp_path_factory.mktemp("broken") / "results", QUICK)


def held(record: Record, name: str) -> None:
    assert record.status == "failed"
    assert BREAKS[name].matches(record.reason), record.reason
    assert record.cases == []


@pytest.mark.parametrize("name", QUICK)
def test_it_gets_its_line(swept: Swept, name: str) -> None:
    held(swept[1][f"breaks_{name}"], name)


def test_the_sweep_goes_on(swept: Swept) -> None:
    done, found = swept
    assert done.code == 1
    assert f"1 of {len(QUICK) + 1} units done" in done.out
    assert found["breaks_nothing"].status == "done"
    assert done.out.replace("\n", "").isprintable(), "no escape code reaches the terminal"


def test_no_process_is_left(swept: Swept) -> None:
    left = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if "bench.worker" in (process.info["cmdline"] or []) and process.ppid() == 1
    ]
    assert left == []


@pytest.mark.long
def test_the_others_get_their_lines(cheats: Cheats, tmp_path: Path) -> None:
    done, found = sweep(cheats, tmp_path / "results", KNOWN)
    for name in KNOWN:
        held(found[f"breaks_{name}"], name)
    assert done.out.replace("\n", "").isprintable(), "no escape code reaches the terminal"


def test_a_slow_prediction_is_ended(cheats: Cheats, tmp_path: Path) -> None:
    """It would take 30 seconds."""
    cheats.run("breaks_slow_predict", results=tmp_path / "results", words=("predict_limit=2",))
    held(records_of(tmp_path / "results")["breaks_slow_predict"], "slow_predict")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """600 MB that are a disk of their own; only root can make one."""
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=600m", "tmpfs", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_disk_is_not_filled(
    cheats: Cheats, tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(disk))
    cheats.run("breaks_disk", results=tmp_path / "results")
    held(records_of(tmp_path / "results")["breaks_disk"], "disk")
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize("name", ["hang_adapt", "hang_predict"])
def test_a_check_ends_what_hangs(cheats: Cheats, name: str) -> None:
    """The check that met it says what hung; those after it, that there is no time left."""
    done = cheats.check(f"breaks_{name}", "check.limit=15", COLUMNS="200")
    assert done.code == 1
    assert "0 passed, 15 failed, 0 not asked" in done.out
    [first, *_] = re.findall(r"│ fail │ (.*?) +│", done.out)
    assert BREAKS[name].matches(first), done.out
