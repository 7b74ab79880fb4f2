"""The board on many records: 10,000 in 20 s on two cores, and time that grows with their number.

python -m pytest tests/perf/test_perf_board.py --benchmark-enable
"""

from __future__ import annotations

import itertools
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.board import build
from bench.device import usable_cores
from tests.board.factory import machine, record

METHODS, SHOTS, DRAWS, PATIENTS = 25, ("1", "5", "10", "20", "50"), 5, 10
TABLE = METHODS * len(SHOTS) * DRAWS


def write_many(results: Path, count: int) -> None:
    """`count` records of 10 patients and 2 classes; a table for every 625 of them."""
    random = np.random.default_rng(0)
    assert count % TABLE == 0
    places = itertools.product(range(count // TABLE), range(METHODS), SHOTS, range(DRAWS))
    for table, method, shots, draw in places:
        dice = random.uniform(0.3, 0.9, (PATIENTS, 2)).round(3).tolist()
        made = record(
            dice,
            method=f"method_{method:02d}",
            dataset=f"copy_{table:02d}",
            classes=("organ", "tumour"),
            shots=shots,
            draw=str(draw),
            seconds=float(random.uniform(100, 120)),
            converged=float(random.uniform(1, 20)),
            on=machine("aaaa1111" if method % 2 else "bbbb2222"),
        )
        path = results / "records" / f"copy_{table:02d}" / f"method_{method:02d}"
        path.mkdir(parents=True, exist_ok=True)
        (path / f"{shots}-{draw}-{made.key}.json").write_text(made.model_dump_json(indent=1))


@dataclass(frozen=True)
class Taken:
    """cpu: of this process and its helpers, so that a busy neighbour does not count; wall beside
    it."""

    cpu: float
    wall: float


def timed(results: Path) -> Taken:
    wall, cpu = time.perf_counter(), sum(os.times()[:4])
    summary = build(results, leaderboard=results / "leaderboard.md")
    taken = Taken(sum(os.times()[:4]) - cpu, time.perf_counter() - wall)
    assert summary.done == summary.records > 0
    return taken


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("small")
    write_many(results, 2500)
    return results


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("large")
    write_many(results, 10_000)
    return results


def test_ten_thousand_records(benchmark: Any, small: Path, large: Path) -> None:
    timed(small)  # the imports of the figures are no part of the growth
    few = timed(small)
    taken: list[Taken] = []
    benchmark.pedantic(lambda: taken.append(timed(large)), rounds=1)
    many = taken[0]
    ratio = many.cpu / few.cpu
    benchmark.extra_info |= {
        "cpu_seconds_2500": round(few.cpu, 2),
        "cpu_seconds_10000": round(many.cpu, 2),
        "wall_seconds_10000": round(many.wall, 2),
        "growth for four times the records": round(ratio, 2),
    }
    print(f"\n2,500: {few}\n10,000: {many}\nratio {ratio:.2f}")
    assert many.cpu < 40
    assert many.wall < 20 or usable_cores() < 2
    assert ratio <= 5
