"""`make gpu` runs in full on a CPU with small sizes, and says in one line that there is no GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.conftest import ROOT
from tests.gpu import __main__ as script
from tests.gpu.cases import SMALL, figures
from tests.gpu.measuring import Figure, measure
from tests.gpu.page import Run, kept, with_section


def gpu(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "tests.gpu", *words]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_in_full_on_a_cpu(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    done = gpu("--device", "cpu", "--small", "--page", str(page))
    assert done.returncode == 0, done.stderr
    assert "$ -m bench doctor" in done.stdout
    text = page.read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert len(rows) == len(list(figures("cpu", "fp32", SMALL)))
    assert sum("training step, samed nano" in row for row in rows) == 2
    for row in rows:
        speed, milliseconds, teraflops = (float(cell) for cell in row.split("|")[2:5])
        assert min(speed, milliseconds, teraflops) > 0
    assert "Left out" not in text


def test_without_a_gpu_it_is_one_line(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    done = gpu("--page", str(page))
    assert (done.returncode, done.stdout, page.exists()) == (2, "", False)
    assert done.stderr.count("\n") == 1
    assert "sees no GPU here; `python -m bench doctor` says why" in done.stderr


def made(machine: str, seconds: float = 0.5, left_out: tuple[str, ...] = ()) -> Run:
    figure = Figure("encode", images=8, seconds=seconds, flops=4e12, peak_bytes=3 * 2**20)
    return Run(
        machine=machine,
        versions="torch 1",
        day="2026-01-02",
        precision="bf16",
        peaks={"fp32": 5e12, "bf16": 16e12},
        figures=[figure],
        left_out=left_out,
    )


def test_the_row_by_hand() -> None:
    page = with_section("# Performance\n", made("Card A", left_out=("the last 2",)))
    assert "| encode | 16 | 500 | 8 | 50 % | 3 MiB |\n" in page
    assert "TFLOP/s: fp32 5, bf16 16." in page
    assert "\nLeft out: the last 2\n" in page


def test_a_machine_s_section_is_replaced_and_others_stay() -> None:
    page = with_section("# Performance\n\nHead.\n", made("Card A"))
    page = with_section(page, made("Card B"))
    again = with_section(page, made("Card A", seconds=0.25))
    assert again.count("## make gpu: Card A") == again.count("## make gpu: Card B") == 1
    assert "| encode | 32 | 250 | 16 | 100 % |" in again
    assert again.startswith("# Performance\n\nHead.\n")
    assert with_section(again, made("Card A")) == page
    assert kept(page) == page.removeprefix("# Performance\n\nHead.\n")


def test_operations_are_counted_and_the_rounds_are_timed() -> None:
    calls = []

    def work() -> None:
        calls.append(1)
        torch.ones(4, 5) @ torch.ones(5, 6)

    found = measure("product", work, images=3, device="cpu")
    assert found.flops == 2 * 4 * 5 * 6
    assert found.peak_bytes is None
    assert len(calls) == 7
    assert found.speed == found.flops / found.seconds


def test_time_and_memory_that_do_not_suffice_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> Figure:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate much")

    def fine() -> Figure:
        return Figure("fine", images=1, seconds=1.0, flops=1.0, peak_bytes=None)

    monkeypatch.setattr(script, "figures", lambda *_: iter([full, fine, fine]))
    found, left_out = script.measured("cpu", small=True, until=float("inf"))
    assert [one.name for one in found] == ["fine", "fine"]
    assert left_out == ["case 1: CUDA out of memory"]
    found, left_out = script.measured("cpu", small=True, until=0.0)
    assert (found, left_out) == ([], ["the last 3 of 3: no time was left"])


def test_a_command_that_takes_too_long_has_failed(capfd: pytest.CaptureFixture[str]) -> None:
    assert script.run([sys.executable, "-c", "import time; time.sleep(60)"], seconds=0.2)
    assert "stopped after 0 s" in capfd.readouterr().out
    assert not script.run([sys.executable, "-c", ""], seconds=60)
    assert script.run([sys.executable, "-c", "raise SystemExit(1)"], seconds=60)
