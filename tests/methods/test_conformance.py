"""Every registered method passes the conformance suite, whoever added it.

Where a method has the option, its images are small here: the suite asks how it behaves, not how
well it does, and all methods together should not take longer than a user will wait.
"""

from __future__ import annotations

import pytest

from bench.registry import discover
from tests.conftest import Bench

REGISTRY = discover()
SIDE = 64
"""Pixels: a multiple of what any of the small networks divides its input by."""


@pytest.mark.slow
@pytest.mark.parametrize("method", REGISTRY.available("method"))
def test_conforms(bench: Bench, method: str) -> None:
    _, card = REGISTRY.method(method)
    small = [f"method.image_size={SIDE}"] if "image_size" in card.options else []
    done = bench("check", f"method={method}", *small, timeout=900)
    assert done.code == 0, done.out
    assert " 0 failed" in done.out
