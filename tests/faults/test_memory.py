"""No memory left: a unit's own failure, with its reason; the sweep goes on."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from bench.record.store import read_records
from tests.faults.conftest import Sweeps


def test_a_method_that_takes_it_all(sweeps: Sweeps, tmp_path: Path) -> None:
    """It really meets a limit of the system's, a quarter of a gigabyte beyond what it had."""
    done = sweeps("method=unruly", "method.how=greedy,nothing", results=tmp_path / "results")
    assert done.code == 1
    found = {r.request.options["how"]: r for r in read_records(tmp_path / "results")}
    assert found["nothing"].status == "done"
    reason = found["greedy"].reason or ""
    assert reason.startswith("out of host memory: Unable to allocate 16.0 MiB"), reason
    assert f"failed: unruly how=greedy folder shots 1 draw 0: {reason}" in done.out
    assert "1 of 2 units done" in done.out


def test_a_device_without_room(sweeps: Sweeps, tmp_path: Path) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device on this machine")
    words = ("method=unruly", "method.how=device,nothing", "device=cuda")
    done = sweeps(*words, results=tmp_path / "results")
    assert done.code == 1
    found = {r.request.options["how"]: r for r in read_records(tmp_path / "results")}
    assert found["nothing"].status == "done"
    assert (found["device"].reason or "").startswith("out of device memory: ")


def test_the_command_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the machine refuses is a line and exit code 2; what only code can do wrong is not."""
    from bench import cli

    def refuse(number: int) -> None:
        def dispatch(words: object) -> int:
            raise OSError(number, "refused", "a/file")

        monkeypatch.setattr(cli, "dispatch", dispatch)

    for number in (errno.ENOMEM, errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO):
        refuse(number)
        assert cli.entry(["ls"]) == 2
        said = capsys.readouterr()
        assert said.err == (
            f"sambench: [Errno {number}] refused: 'a/file'; make room, or choose another folder\n"
        )
    refuse(errno.ENOENT)
    with pytest.raises(FileNotFoundError):
        cli.entry(["ls"])
