"""Many processes do what one does, and say what goes wrong where it goes wrong."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from bench.board import build, reading, spreading
from bench.board.reading import read_units
from bench.board.spreading import spread
from bench.errors import RequestError
from bench.record.store import record_files
from tests.board.factory import record, save

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="processes are forked on Linux only"
)


@pytest.fixture
def in_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two helpers and small parts, however few the cores and the records."""
    monkeypatch.setattr(spreading, "FEWEST", 1)
    monkeypatch.setattr(spreading, "usable_cores", lambda: 2)
    monkeypatch.setattr(reading, "PART", 5)
    return


def many(results: Path, dataset: str = "toy") -> None:
    save(
        results,
        *(
            record(
                [[0.5 + draw / 10], [0.4]],
                method=method,
                dataset=dataset,
                draw=str(draw),
                shots=shots,
            )
            for method in ("alpha", "beta", "gamma")
            for draw in range(3)
            for shots in ("1", "5")
        ),
    )


def files(results: Path) -> dict[str, bytes]:
    build(results, leaderboard=results / "leaderboard.md")
    made = [path for path in results.rglob("*") if path.suffix in {".csv", ".md", ".svg"}]
    return {path.name: path.read_bytes() for path in made}


def test_another_process_for_every_part_and_results_in_order(in_processes: None) -> None:
    seen = list(spread(lambda part: (part, os.getpid()), range(8), records=8))
    assert [part for part, _ in seen] == list(range(8))
    assert os.getpid() not in {process for _, process in seen}


def test_few_records_stay_here() -> None:
    assert list(spread(lambda _: os.getpid(), range(8), records=8)) == [os.getpid()] * 8


def test_the_same_board_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Also with rows that no table has alone: one without a backbone, one of the first table."""
    for name in ("toy", "other", "third"):
        many(tmp_path, name)
    save(tmp_path, record(method="unet", backbone="none"), record(method="delta", reason="crash"))
    alone = files(tmp_path)
    request.getfixturevalue("in_processes")
    for path in (path for path in tmp_path.rglob("*") if path.suffix in {".csv", ".md", ".svg"}):
        path.unlink()
    assert files(tmp_path) == alone
    assert len(alone) > 30


def test_what_parts_have_in_common_is_held_once(tmp_path: Path, in_processes: None) -> None:
    many(tmp_path)
    units = read_units(tmp_path)
    assert len(units) == 18
    for name in ("table", "machine"):
        assert len({id(getattr(unit, name)) for unit in units}) == 1
    assert len({id(unit.variant) for unit in units}) == 3


def test_an_edited_record_is_named(tmp_path: Path, in_processes: None) -> None:
    many(tmp_path)
    last = record_files(tmp_path)[-1]
    last.write_text(
        last.read_text().replace('"dice":0.4', '"dice":0.9').replace('"dice": 0.4', '"dice": 0.9')
    )
    with pytest.raises(RequestError, match=f"record {last}: .*dice is 0.9, by its counts 0.4"):
        read_units(tmp_path)


def test_two_records_of_a_key_in_different_parts(tmp_path: Path, in_processes: None) -> None:
    many(tmp_path)
    first, last = record_files(tmp_path)[0], record_files(tmp_path)[-1]
    copy = last.with_name("z" + first.name)
    copy.write_bytes(first.read_bytes())
    with pytest.raises(RequestError, match=f"records {first} and {copy} have the same key"):
        read_units(tmp_path)


def test_a_helper_that_is_killed(in_processes: None) -> None:
    with pytest.raises(RequestError, match=r"a process that helped was killed.*taskset -c 0"):
        list(spread(lambda _: os.kill(os.getpid(), signal.SIGKILL), range(4), records=4))
