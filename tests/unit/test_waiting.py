"""The seconds in which other work had this thread's core."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from math import isnan
from pathlib import Path

import pytest

from bench.unit import waiting
from bench.unit.waiting import thread_waited

SPIN = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
end = time.monotonic() + 60
print("ready", flush=True)
while time.monotonic() < end:
    pass
"""


@pytest.mark.skipif(isnan(thread_waited()), reason="this system keeps no account of waiting")
def test_two_that_share_a_core_wait_half_of_the_time() -> None:
    cores = os.sched_getaffinity(0)
    core = min(cores)
    other = subprocess.Popen([sys.executable, "-c", SPIN, str(core)], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        os.sched_setaffinity(0, {core})
        began, before, worked = time.monotonic(), thread_waited(), time.thread_time()
        while time.thread_time() - worked < 0.5:
            pass
        passed, waited = time.monotonic() - began, thread_waited() - before
    finally:
        os.sched_setaffinity(0, cores)
        other.kill()
        other.communicate()
    # All that was not work was waiting; how much there was is the scheduler's affair.
    assert waited == pytest.approx(passed - 0.5, rel=0.1, abs=0.05)
    assert waited > 0.1


@pytest.mark.parametrize("text", [None, "", "12", "12 many 3"])
def test_a_system_without_the_account(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "schedstat"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr(waiting, "SCHEDSTAT", file)
    assert isnan(thread_waited())


def test_nanoseconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "schedstat").write_text("5000 2500000000 12\n")
    monkeypatch.setattr(waiting, "SCHEDSTAT", tmp_path / "schedstat")
    assert thread_waited() == 2.5
