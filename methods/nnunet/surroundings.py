"""What nnunetv2 wants around it while it works: variables, a place for its prints, short errors."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from nnunetv2 import paths

FOLDERS = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
WORKERS, COMPILE, UPLOAD = "nnUNet_n_proc_DA", "nnUNet_compile", "nnUNet_wandb_enabled"


class NnUNetError(RuntimeError):
    """What went wrong inside nnunetv2, in one line."""


def check_version(of: Any) -> None:
    """`of`: nnunetv2.paths. Our folders are set and unset while it is loaded."""
    if not hasattr(of.nnUNet_raw, "is_set"):
        raise ImportError("nnunetv2 2.8 or newer is needed; older ones fix their folders for good")


check_version(paths)


@contextlib.contextmanager
def surroundings(
    doing: str, folder: Path | None = None, *, compiled: bool = False
) -> Iterator[None]:
    """Whatever nnunetv2 does is done in here; outside of it nothing is as it wants it.

    doing   what it does, for its errors
    folder  where its three folders are; None where it needs none
    """
    values = {
        # Of augmentation: its planner cannot do with 0, its trainer then starts one process at
        # once. Whoever makes loaders says 0 there; see `without_workers`.
        WORKERS: "1",
        COMPILE: "t" if compiled else "f",
        UPLOAD: "0",
    }
    if folder is not None:
        values |= {name: str(folder / name) for name in FOLDERS}
    with _variables(values), _out_of_the_console(), _one_line(doing):
        yield


def without_workers() -> contextlib.AbstractContextManager[None]:
    """Loaders that are made in here augment in the process that asks them."""
    return _variables({WORKERS: "0"})


@contextlib.contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _out_of_the_console() -> Iterator[None]:
    """Its prints and warnings belong into a unit's log. Where there is none (a unit within the
    process of a command), nobody wants to read them."""
    if _is_a_log():
        yield
        return
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


def _is_a_log() -> bool:
    try:
        return stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    except (OSError, AttributeError):  # a stream that is no file
        return False


@contextlib.contextmanager
def _one_line(doing: str) -> Iterator[None]:
    """Lack of memory passes as it is: the harness has its own words for that."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError, NnUNetError):
        raise
    except Exception as error:
        said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        kind = type(error).__name__
        raise NnUNetError(f"{doing}: {kind}: {said}" if said else f"{doing}: {kind}") from error
