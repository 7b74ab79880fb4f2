"""python -m tests.gpu [--device cuda|cpu] [--small] [--page FILE]    (make gpu)

For whoever has a GPU, at most ten minutes: `bench doctor`; the tests of tests/cuda on the real
card; throughput, memory and share of its peak, into docs/performance.md in this machine's section.
Exit code: 0, 1 if doctor or a test failed, 2 without a GPU. `--small` is for trying the script.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from bench.device import cpu_name
from bench.energy import EnergyMeter
from bench.train.precision import resolve_precision
from tests.gpu.cases import FULL, SMALL, figures
from tests.gpu.measuring import Figure, peak_speed
from tests.gpu.page import Run, with_section
from tests.pretend_cuda.environment import REAL

ROOT = Path(__file__).resolve().parents[2]
CARD_TESTS = ROOT / "tests" / "cuda"
SECONDS, FOR_TESTS = 600, 300
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "performance.md")
    given = parser.parse_args(arguments)
    cuda = given.device.startswith("cuda")
    if cuda and not torch.cuda.is_available():
        print(
            f"make gpu: torch {torch.__version__} sees no GPU here; `python -m bench doctor` says "
            "why, `--device cpu --small` tries the script without one",
            file=sys.stderr,
        )
        return 2
    begun = time.monotonic()
    failed = run([sys.executable, "-m", "bench", "doctor"], seconds=FOR_TESTS)
    left_out = []
    if cuda and CARD_TESTS.is_dir():
        words = [sys.executable, "-m", "pytest", str(CARD_TESTS), "-q"]
        failed = run(words, seconds=FOR_TESTS, **{REAL: "1"}) or failed
    elif cuda:
        left_out.append("tests on the card: there is no tests/cuda")
    found, stopped = measured(given.device, small=given.small, until=begun + SECONDS)
    made = described(given.device, given.small, found, left_out + stopped)
    page = given.page.read_text("utf-8") if given.page.is_file() else "# Performance\n"
    given.page.write_text(with_section(page, made), encoding="utf-8")
    print(f"wrote {given.page}: {made.machine}, {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


def run(words: Sequence[str], *, seconds: float, **variables: str) -> bool:
    """Whether it failed, or took longer."""
    print(f"\n$ {' '.join(words[1:])}", flush=True)
    try:
        done = subprocess.run(
            words, cwd=ROOT, env={**os.environ, **variables}, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        print(f"stopped after {seconds:.0f} s", flush=True)
        return True
    return done.returncode != 0


def measured(device: str, *, small: bool, until: float) -> tuple[list[Figure], list[str]]:
    """The figures, and what there was no time or memory for."""
    sizes = SMALL if small else FULL
    precision = resolve_precision("auto", torch.device(device))
    found: list[Figure] = []
    left_out = []
    cases = list(figures(device, precision, sizes))
    for number, case in enumerate(cases):
        if time.monotonic() > until:
            left_out.append(f"the last {len(cases) - number} of {len(cases)}: no time was left")
            break
        meter = EnergyMeter(device)
        try:
            found.append(case())
        except torch.OutOfMemoryError as error:
            left_out.append(f"case {number + 1}: {str(error).partition('.')[0]}")
            continue
        joules = meter.joules()
        energy = f"energy: {meter.missing}" if joules is None else f"{joules:.0f} J in all"
        figure = found[-1]
        print(f"{figure.name}: {figure.images / figure.seconds:.3g} images/s, {energy}", flush=True)
        gc.collect()
        if device.startswith("cuda"):
            torch.cuda.empty_cache()
    return found, left_out


def described(device: str, small: bool, found: Sequence[Figure], left_out: Sequence[str]) -> Run:
    precision = resolve_precision("auto", torch.device(device))
    side = (SMALL if small else FULL).product
    names = dict.fromkeys(["fp32", precision])
    peaks = {name: peak_speed(device, DTYPES[name], side=side) for name in names}
    cuda = device.startswith("cuda")
    card = torch.cuda.get_device_name(device) if cuda else cpu_name()
    driver = f", CUDA {torch.version.cuda}" if cuda else ""
    return Run(
        machine=card + (", small sizes" if small else ""),
        versions=f"torch {torch.__version__}{driver}",
        day=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        precision=precision,
        peaks=peaks,
        figures=found,
        left_out=left_out,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
