"""Joules of a GPU, from an NVML that the test compiles."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.energy import Counter, EnergyMeter, NoCounterError, load_nvml, open_counter, physical
from bench.record.schema import Interruption
from bench.unit.life import _joules

SOURCE = r"""
#include <string.h>
typedef struct { unsigned pid; unsigned long long memory; unsigned gpu, compute; } process;
static unsigned long long used[2] = {5000, 7000};
static unsigned pids[4];
static unsigned count;
static int broken;
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
  if (index > 1) return 6;
  *device = &used[index];
  return 0;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
  if (strcmp(uuid, "GPU-abc-def")) return 6;
  *device = &used[1];
  return 0;
}
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *energy) {
  if (broken) return 3;
  *energy = *(unsigned long long *)device;
  return 0;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *most, process *found) {
  if (*most < count) return 7;
  for (unsigned at = 0; at < count; at++) found[at] = (process){pids[at], 1, 0, 0};
  *most = count;
  return 0;
}
void test_use(unsigned card, unsigned long long millijoules) { used[card] += millijoules; }
void test_reload(void) { used[0] = 0; }
void test_run(unsigned pid) { pids[count++] = pid; }
void test_break(void) { broken = 1; }
"""


@pytest.fixture
def nvml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ctypes.CDLL:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    source, library = tmp_path / "nvml.c", tmp_path / "libnvml.so"
    source.write_text(SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    return load_nvml(str(library))


def test_what_was_used_since(nvml: ctypes.CDLL) -> None:
    meter = EnergyMeter("cuda", nvml=nvml)
    nvml.test_use(0, ctypes.c_ulonglong(2500))
    nvml.test_use(1, ctypes.c_ulonglong(9000))
    nvml.test_run(os.getpid())
    assert (meter.joules(), meter.missing) == (2.5, "")


def test_the_unit_s_own_card(nvml: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_counter("cuda:1", nvml=nvml).joules() == 7.0
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert open_counter("cuda", nvml=nvml).joules() == 7.0
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-abc-def")
    assert open_counter("cuda:0", nvml=nvml).joules() == 7.0
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # the UUID is believed first
    assert open_counter("cuda:0", uuid="abc-def", nvml=nvml).joules() == 7.0


@pytest.mark.parametrize(
    ("device", "visible", "card"),
    [
        ("cuda", None, "0"),
        ("cuda:2", None, "2"),
        ("cuda:1", "3,5", "5"),
        ("cuda", "GPU-x, GPU-y", "GPU-x"),
    ],
)
def test_which_card(device: str, visible: str | None, card: str) -> None:
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert physical(device, environment) == card


@pytest.mark.parametrize(
    ("device", "visible", "reason"),
    [
        ("cuda:2", "3,5", "cuda:2 is not among CUDA_VISIBLE_DEVICES=3,5"),
        ("cuda", "", "cuda is not among CUDA_VISIBLE_DEVICES="),
        ("cuda", "MIG-1", "a MIG slice has no counter of its own"),
    ],
)
def test_no_such_card(device: str, visible: str, reason: str) -> None:
    with pytest.raises(NoCounterError, match=f"^{re.escape(reason)}$"):
        physical(device, {"CUDA_VISIBLE_DEVICES": visible})


def test_a_shared_card_has_no_figure(nvml: ctypes.CDLL) -> None:
    meter = EnergyMeter("cuda", nvml=nvml)
    nvml.test_run(os.getpid())
    nvml.test_run(1)
    assert meter.joules() is None
    assert meter.missing == "another process computed on the GPU"


def test_one_that_was_there_before(nvml: ctypes.CDLL) -> None:
    nvml.test_run(1)
    meter = EnergyMeter("cuda", nvml=nvml)
    assert meter.joules() is None
    assert meter.missing == "another process computed on the GPU"


def test_in_a_container_the_only_process_is_ours(nvml: ctypes.CDLL) -> None:
    """It goes by the host's number. Two of them are one too many."""
    meter = EnergyMeter("cuda", nvml=nvml)
    nvml.test_run(4_000_000)
    assert meter.joules() == 0.0
    nvml.test_run(4_000_001)
    assert meter.joules() is None


def test_a_driver_that_was_loaded_anew(nvml: ctypes.CDLL) -> None:
    meter = EnergyMeter("cuda", nvml=nvml)
    nvml.test_reload()
    assert (meter.joules(), meter.missing) == (None, "the driver was loaded anew")


def test_no_counter(nvml: ctypes.CDLL) -> None:
    assert EnergyMeter("cpu").missing == "a CPU has no such counter"
    assert EnergyMeter("cpu").joules() is None
    gone = EnergyMeter("cuda:5", nvml=nvml)
    assert (gone.joules(), gone.missing) == (
        None,
        "nvmlDeviceGetHandleByIndex_v2: NVML error 6",
    )
    meter = EnergyMeter("cuda", nvml=nvml)
    nvml.test_break()
    assert meter.joules() is None
    assert meter.missing == "nvmlDeviceGetTotalEnergyConsumption: NVML error 3"
    old = EnergyMeter("cuda", nvml=nvml)
    assert (old.joules(), old.missing) == (None, meter.missing)


def test_no_nvml(tmp_path: Path) -> None:
    with pytest.raises(NoCounterError, match=r"^no NVML: "):
        load_nvml(str(tmp_path / "none.so"))


def test_an_nvml_without_the_counter(nvml: ctypes.CDLL) -> None:
    class Old:
        nvmlInit_v2 = nvml.nvmlInit_v2  # noqa: N815

    with pytest.raises(NoCounterError, match=r"^this driver's NVML has no nvmlDeviceGetHandleByI"):
        open_counter("cuda", nvml=Old())
    counter = Counter(Old(), None)
    with pytest.raises(NoCounterError, match=r"^this driver's NVML has no nvmlDeviceGetTotalEner"):
        counter.joules()


def test_a_unit_that_went_on_after_a_stop_has_no_figure(nvml: ctypes.CDLL) -> None:
    """Nobody measured its earlier start to the end."""

    def trail(*resumed: bool) -> Any:
        past = [Interruption(started="2026", resumed=one) for one in resumed]
        return SimpleNamespace(past=past)

    meter = EnergyMeter("cuda", nvml=nvml)
    nvml.test_use(0, ctypes.c_ulonglong(2500))
    assert _joules(meter, None) == _joules(meter, trail()) == _joules(meter, trail(False)) == 2.5
    assert _joules(meter, trail(False, True)) is None
