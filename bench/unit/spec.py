"""A unit as it travels to the process that runs it: plain JSON, everything resolved."""

from __future__ import annotations

from typing import Any, Literal

from bench.cards import OnCuda
from bench.record.schema import DataFacts, MethodFacts, Part, Request

FOLDER = "sambench-unit-"
"""How the temporary folder of a unit begins that has a process of its own."""


class Support(Part):
    """A labelled case of the support; `slices` None: every slice carries its label."""

    case: str
    slices: list[int] | None = None


class PoolSource(Part):
    """Unlabelled cases of another dataset, and the store that they are in."""

    dataset: str
    store: str
    cases: list[str]


class PretrainSpec(Part):
    """Pre-training that is shared: units of one key use one result."""

    key: str
    share: float


class Unit(Part):
    """`key` is the hash of all that the result depends on; paths and devices are not in it.

    pool    unlabelled cases of the unit's own dataset; others  those of other datasets
    data_roots     folders that hold the user's files of its datasets: never open to the method
    predict_limit  seconds that the prediction of one volume may take
    deterministic  with torch's deterministic algorithms; what the card says of them on CUDA
    stage   "pretrain": only the pre-training that it shares with others; leaves no record
    """

    key: str
    request: Request
    method: MethodFacts
    data: DataFacts
    support: list[Support]
    pool: list[str]
    others: tuple[PoolSource, ...] = ()
    probe: list[str]
    test: list[str]
    store: str
    results: str
    include: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    device: str = "cpu"
    cache: str | None = None
    threads: int = 1
    jobs_per_gpu: int = 1
    pretrain: PretrainSpec | None = None
    needs_test_label: bool = False
    repeatable: bool = True
    data_roots: tuple[str, ...] = ()
    predict_limit: float | None = None
    deterministic: OnCuda | None = None
    stage: Literal["all", "pretrain"] = "all"

    @property
    def title(self) -> str:
        request = self.request
        changed = "".join(f" {k}={_short(v)}" for k, v in self.method.overrides.items())
        seed = f" seed {request.seed}" if request.seed else ""
        return (
            f"{request.method}{changed} {request.dataset} "
            f"shots {request.shots} draw {request.draw}{seed}"
        )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 16 else text[:15] + "…"
