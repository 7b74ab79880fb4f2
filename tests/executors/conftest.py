"""Units as a plan makes them, without data behind them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.record.schema import Record
from bench.unit.spec import PretrainSpec, Unit
from tests.record.conftest import whole

MakeUnit = Callable[..., Unit]


@pytest.fixture
def make_unit(tmp_path: Path) -> MakeUnit:
    def make(
        number: int = 0,
        *,
        seconds: float | None = 60.0,
        budget: str = "cpu-1min",
        method: str = "toy",
        pretrain: str | None = None,
    ) -> Unit:
        record = Record.model_validate(whole())
        spec = record.request.budget.model_copy(update={"name": budget, "seconds": seconds})
        request = record.request.model_copy(
            update={"seed": number, "budget": spec, "method": method}
        )
        return Unit(
            key=f"{number:016x}",
            request=request,
            method=record.method,
            data=record.data,
            support=[],
            pool=[],
            probe=[],
            test=[],
            store=str(tmp_path / "store"),
            results=str(tmp_path),
            pretrain=None if pretrain is None else PretrainSpec(key=pretrain, share=0.5),
        )

    return make
