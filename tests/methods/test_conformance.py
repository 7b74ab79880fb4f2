"""Every registered method passes the conformance suite, whoever added it."""

from __future__ import annotations

import pytest

from bench.registry import discover
from tests.conftest import Bench


@pytest.mark.slow
@pytest.mark.parametrize("method", discover().available("method"))
def test_conforms(bench: Bench, method: str) -> None:
    done = bench("check", f"method={method}", timeout=900)
    assert done.code == 0, done.out
    assert " 0 failed" in done.out
