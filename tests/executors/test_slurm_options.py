"""`executor.KEY=VALUE` of executor=slurm: what is understood, and what is refused in a line."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bench.cli.run import device_of
from bench.errors import RequestError
from bench.executors.known import executor_defaults
from bench.executors.local import Local
from bench.executors.slurm.options import SlurmOptions, read_options


def read(**given: Any) -> SlurmOptions:
    return read_options({**executor_defaults("slurm"), **given})


def test_the_defaults_hold() -> None:
    options = read()
    assert (options.gpus, options.cpus, options.minutes, options.mem_gb) == (None, 4, None, None)
    assert options.bundle == 600.0
    assert options.setup == ()
    assert options.extra == {}
    assert options.wait


@pytest.mark.parametrize(
    ("given", "minutes"),
    [
        (90, 90),
        ("90m", 90),
        ("4h", 240),
        ("2d", 2880),
        ("1:30", 90),
        ("1-12:00:00", 36 * 60),
        ("0:10:01", 11),
        ("auto", None),
    ],
)
def test_time(given: Any, minutes: int | None) -> None:
    assert read(time=given).minutes == minutes


@pytest.mark.parametrize(("given", "gigabytes"), [(16, 16.0), ("16G", 16.0), ("1.5GB", 1.5)])
def test_memory(given: Any, gigabytes: float) -> None:
    assert read(mem=given).mem_gb == gigabytes


def test_flags_and_setup() -> None:
    options = read(sbatch="account=lab --qos=long exclusive", setup="module load x; source y")
    assert options.extra == {"account": "lab", "qos": "long", "exclusive": True}
    assert options.setup == ("module load x; source y",)
    assert read(setup=["a", "b"]).setup == ("a", "b")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"time": "soon"}, "executor.time=soon: minutes, or as 4h, 2d, 1-12:00:00; or auto"),
        ({"time": 0}, "executor.time=0: minutes"),
        ({"time": "0:00"}, "executor.time=0:00: minutes"),
        ({"mem": "much"}, "executor.mem=much: gigabytes of a job, as 16 or 16G"),
        ({"cpus": 0}, "executor.cpus=0: a whole number, 1 or more"),
        ({"cpus": True}, "executor.cpus=True: a whole number, 1 or more"),
        ({"gpus": -1}, "executor.gpus=-1: a whole number, 0 or more"),
        ({"parallel": 1.5}, "executor.parallel=1.5: a whole number, 1 or more"),
        ({"wait": "no"}, "executor.wait=no: true or false"),
        ({"sbatch": "=x"}, "executor.sbatch: '=x' is not name=value"),
        ({"time": 2}, "executor.grace=120: the job's whole time is 120 s"),
        ({"timeout": "2h"}, "executor.timeout=2h: a number above 0, or auto"),
        ({"timeout": 0}, "executor.timeout=0: a number above 0, or auto"),
        ({"timeout": math.nan}, "executor.timeout=nan: a number above 0, or auto"),
        ({"timeout": math.inf}, "executor.timeout=inf: a number above 0, or auto"),
        ({"timeout": 1e10}, "executor.timeout=10000000000.0: at most 1000000000"),
        ({"bundle": 10**400}, "executor.bundle=1000"),
        ({"cpus": 10**10}, "executor.cpus=10000000000: at most 1000000000"),
        ({"mem": "9" * 400}, "executor.mem=9999"),
        ({"time": "9" * 5000}, "executor.time=9999"),
    ],
)
def test_what_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(**given)
    assert str(caught.value).startswith(message)


def test_a_time_for_each_unit() -> None:
    assert read().timeout is None
    assert read(timeout=90).timeout == 90.0


@pytest.mark.parametrize("name", ["jobs", "threads", "timeout"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, 0, True, "2h"])
def test_numbers_that_nobody_can_count_with(name: str, value: Any) -> None:
    with pytest.raises(RequestError, match=rf"executor\.{name}=.*: (a number above 0|at most)"):
        Local({name: value})


def test_without_slurm_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.executors.known import executor_class

    monkeypatch.setenv("PATH", "")
    with pytest.raises(RequestError) as caught:
        executor_class("slurm")(executor_defaults("slurm"))
    assert str(caught.value).startswith("executor=slurm: there is no sbatch, squeue, scontrol")


@pytest.mark.parametrize(
    ("words", "device"),
    [
        (["executor=slurm"], "cpu"),
        (["executor=slurm", "device=cuda"], "cuda"),
        (["executor=slurm", "executor.gpus=2"], "cuda"),
        (["executor=slurm", "executor.gpus=0"], "cpu"),
        (["executor=slurm", "executor.gpus=1", "device=cpu"], "cpu"),
    ],
)
def test_nobody_looks_for_a_gpu_here(words: list[str], device: str) -> None:
    """A machine from which jobs are submitted has none."""
    assert device_of(words) == device


@pytest.mark.parametrize("executor", ["slurm", "local"])
def test_a_mistyped_device(executor: str) -> None:
    with pytest.raises(RequestError) as caught:
        device_of([f"executor={executor}", "device=cdua"])
    assert str(caught.value).startswith("device=cdua: it is auto, cpu, cuda, or one GPU")
