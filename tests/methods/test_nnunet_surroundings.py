"""What is set while nnunetv2 works, and that nothing of it stays."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from methods.nnunet.surroundings import (
    COMPILE,
    FOLDERS,
    WORKERS,
    NnUNetError,
    check_version,
    surroundings,
    without_workers,
)


def test_variables_are_there_inside_and_as_before_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("nnUNet_raw", "the user's own")
    monkeypatch.delenv("nnUNet_results", raising=False)
    before = dict(os.environ)
    with surroundings("x", tmp_path):
        assert [os.environ[name] for name in FOLDERS] == [str(tmp_path / name) for name in FOLDERS]
        assert (os.environ[WORKERS], os.environ[COMPILE]) == ("1", "f")
        with without_workers():
            assert os.environ[WORKERS] == "0"
        assert os.environ[WORKERS] == "1"
    assert dict(os.environ) == before
    with surroundings("x", compiled=True):
        assert os.environ[COMPILE] == "t"
    assert dict(os.environ) == before


def test_an_error_is_one_line_that_says_at_what(tmp_path: Path) -> None:
    before = dict(os.environ)
    with pytest.raises(NnUNetError) as caught, surroundings("nnunetv2's plan", tmp_path):
        raise RuntimeError("\n  Some worker is gone. \nThis could be because ...\n")
    assert dict(os.environ) == before
    assert str(caught.value) == "nnunetv2's plan: RuntimeError: Some worker is gone."
    with pytest.raises(NnUNetError) as caught, surroundings("nnunetv2's plan"):
        raise AssertionError
    assert str(caught.value) == "nnunetv2's plan: AssertionError"


@pytest.mark.parametrize("error", [MemoryError("host"), torch.OutOfMemoryError("device")])
def test_lack_of_memory_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)), surroundings("x"):
        raise error


def test_prints_and_warnings_are_kept_out_of_a_console(capsys: pytest.CaptureFixture[str]) -> None:
    with surroundings("x"):
        print("a wall of text")
        print("more of it", file=sys.stderr)
        warnings.warn("and this", stacklevel=1)
    assert capsys.readouterr() == ("", "")


def test_prints_go_into_a_log(tmp_path: Path, project_root: Path) -> None:
    """A unit's standard output is a file."""
    script = (
        "from methods.nnunet.surroundings import surroundings\n"
        "with surroundings('x'):\n    print('what it says')\n"
    )
    log = tmp_path / "log"
    with log.open("wb") as output:
        subprocess.run([sys.executable, "-c", script], cwd=project_root, stdout=output, check=True)
    assert log.read_text() == "what it says\n"


def test_an_older_nnunetv2_is_refused() -> None:
    with pytest.raises(ImportError, match=r"nnunetv2 2\.8 or newer is needed"):
        check_version(SimpleNamespace(nnUNet_raw="/a/folder"))
