"""Which GPU a unit gets, and requests for one that cannot be had: one line, exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.record.store import read_records
from tests.conftest import Bench
from tests.cuda.conftest import Gpus, found
from tests.pretend_cuda.counting import read_counts

QUICK = ("run", "method=control_empty", "budget.seconds=1", "budget.probes=0")


def test_one_of_two_by_its_number(gpus: Gpus, tmp_path: Path) -> None:
    """The unit's process sees that one alone, where it is cuda:0."""
    done = gpus("run", "method=unet", "budget.seconds=1", "budget.probes=1", "device=cuda:1",
                f"results={tmp_path}", count=2)  # fmt: skip
    assert done.code == 0, done.out + done.err
    record = found(tmp_path)["unet"]
    assert (record.machine.device, record.status) == ("Pretend GPU 1", "done")
    assert record.resources is not None
    assert (record.resources.peak_device_bytes or 0) > 0


@pytest.mark.thorough
def test_a_list_of_visible_ones_is_counted_from_its_first(gpus: Gpus, tmp_path: Path) -> None:
    done = gpus(*QUICK, "device=cuda:1", f"results={tmp_path}", count=4,
                extra={"CUDA_VISIBLE_DEVICES": "3,2"})  # fmt: skip
    assert done.code == 0, done.out + done.err
    assert found(tmp_path)["control_empty"].machine.device == "Pretend GPU 2"


def test_two_units_on_two_gpus(gpus: Gpus, tmp_path: Path) -> None:
    words = ("run", "method=control_empty,control_nearest", "budget.seconds=1", "budget.probes=0")
    done = gpus(*words, f"results={tmp_path}", count=2)
    assert done.code == 0, done.out + done.err
    records = list(read_records(tmp_path))
    assert {record.machine.device for record in records} == {"Pretend GPU 0", "Pretend GPU 1"}
    assert {record.machine.jobs_per_gpu for record in records} == {None}


def test_units_that_share_a_gpu_are_refused_or_recorded(gpus: Gpus, tmp_path: Path) -> None:
    words = ("run", "method=control_empty,control_nearest", "budget.seconds=1", "budget.probes=0",
             "executor.jobs=2", f"results={tmp_path}")  # fmt: skip
    done = gpus(*words)
    assert done.code == 2
    assert done.err == (
        "sambench: executor.jobs=2: there is 1 GPU, and budget 1gpu-15min+probes=0+seconds=1 "
        "counts seconds, of which units that share a GPU get less; take executor.jobs=1, a budget "
        "of steps, or executor.share_gpu=true, which records say\n"
    )
    assert not list(read_records(tmp_path))
    assert gpus(*words, "executor.share_gpu=true").code == 0
    assert {record.machine.jobs_per_gpu for record in read_records(tmp_path)} == {2}


THERE = "there are cuda:0 (Pretend GPU 0, 40 GB), cuda:1 (Pretend GPU 1, 40 GB)"


@pytest.mark.parametrize(
    ("device", "line"),
    [
        ("cuda:7", f"device=cuda:7: there is no such GPU here; {THERE}"),
        (
            "cuda:x",
            "device=cuda:x: it is auto, cpu, cuda, or one GPU by its number, as cuda:0; " + THERE,
        ),
        (
            "cuda:-1",
            "device=cuda:-1: it is auto, cpu, cuda, or one GPU by its number, as cuda:0; " + THERE,
        ),
    ],
)
def test_a_gpu_that_is_not_there(gpus: Gpus, tmp_path: Path, device: str, line: str) -> None:
    done = gpus(*QUICK, f"device={device}", f"results={tmp_path}", count=2)
    assert (done.code, done.err) == (2, f"sambench: {line}\n")
    assert not list(tmp_path.iterdir())


def test_a_driver_that_torch_cannot_use(gpus: Gpus, tmp_path: Path) -> None:
    """Never silently a CPU."""
    done = gpus(*QUICK, f"results={tmp_path}", blind=True)
    assert done.code == 2
    assert done.err.startswith("sambench: device=auto: there is an NVIDIA driver (nvidia-smi), but")
    assert done.err.endswith("; device=cpu runs on the CPU\n")
    assert done.err.count("\n") == 1
    assert "Found no NVIDIA driver" in done.err
    said = gpus("doctor", blind=True).out
    assert "UNUSABLE GPU: there is an NVIDIA driver (nvidia-smi), but torch sees none" in said
    assert "until then say device=cpu" in said
    assert gpus(*QUICK, "device=cpu", f"results={tmp_path}", blind=True).code == 0


def test_gpus_that_were_hidden_on_purpose(gpus: Gpus, tmp_path: Path) -> None:
    done = gpus(*QUICK, f"results={tmp_path}", extra={"CUDA_VISIBLE_DEVICES": ""})
    assert done.code == 0, done.err
    assert done.out.startswith("device cpu")


def test_a_gpu_without_kernels_in_this_torch(gpus: Gpus, tmp_path: Path) -> None:
    done = gpus(*QUICK, f"results={tmp_path}", capability="7.0")
    assert done.code == 2
    assert done.err.startswith(
        "sambench: device=auto: cuda:0 (Pretend GPU 0, 40 GB) has compute capability 7.0, and torch"
    )
    assert "install a torch that has sm_70, one for CUDA 12" in done.err
    said = gpus("doctor", capability="7.0").out
    assert "UNUSABLE: cuda:0 (Pretend GPU 0, 40 GB) has compute capability 7.0" in said


def test_doctor_lists_every_gpu(gpus: Gpus) -> None:
    said = gpus("doctor", count=2).out
    assert "device cuda:0" in said
    assert "Pretend GPU 1, 40 GB, capability 8.0" in said
    assert "UNUSABLE" not in said


def test_a_unit_on_the_cpu_takes_nothing_of_a_gpu(gpus: Gpus, tmp_path: Path) -> None:
    """Not even a process that sees a GPU: SAM 2's package would put tables on it."""
    counts = tmp_path / "counts"
    words = ("run", "method=retrieval", "budget.seconds=1", "budget.probes=0", "device=cpu")
    for name in ("local", "inline"):
        results = f"results={tmp_path / name}"
        done = gpus(*words, f"executor={name}", results, counts=counts)
        assert done.code == 0, done.out + done.err
        assert read_counts(counts, tmp_path / name) == []


def test_a_cluster_gives_out_gpus_by_itself(bench: Bench, tmp_path: Path) -> None:
    done = bench("run", "method=unet", "executor=slurm", "device=cuda:1", f"results={tmp_path}")
    assert done.code == 2
    assert "device=cuda:1: executor=slurm gives each job its GPUs; say cuda" in done.err
