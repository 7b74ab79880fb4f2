"""What one command line asks for, composed and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.record.schema import BudgetSpec


@dataclass(frozen=True)
class Choice:
    """One configuration of everything but shots, draw, seed and validation track.

    overrides  what the user changed of the method's options, for the board
    """

    method: str
    options: Mapping[str, Any]
    overrides: Mapping[str, Any]
    dataset: str
    dataset_options: Mapping[str, Any]
    budget: BudgetSpec
    backbone: Mapping[str, str]


@dataclass(frozen=True)
class Demand:
    """Everything that one command line asks for.

    pool  whose unlabelled images: names of datasets, "own" for the chosen one's
    predict_limit  seconds for the prediction of one volume; None: by the records
    deterministic  with torch's deterministic algorithms on a GPU: slower, and repeatable
    """

    choices: tuple[Choice, ...]
    shots: tuple[str, ...]
    draws: tuple[str, ...] | None
    seeds: tuple[int, ...]
    vals: tuple[str, ...]
    pool: tuple[str, ...]
    data: Mapping[str, Any]
    executor: Mapping[str, Any]
    device: str
    results: Path
    keep: tuple[str, ...]
    rerun: str | None
    predict_limit: float | None = None
    deterministic: bool = False
