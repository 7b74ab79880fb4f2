"""What the options' `auto` stands for."""

from __future__ import annotations

from types import SimpleNamespace

from bench.options import given

RATE, SMALL_RATE = 1e-4, 1e-3
"""For published weights as specified; ours are small, hardly trained, and learn at ten times it."""


def rate_of(options: SimpleNamespace, *, small: bool) -> float:
    """Peak learning rate. small: a network that comes with the package."""
    return given(options.lr, SMALL_RATE if small else RATE)


def all_tokens(options: SimpleNamespace) -> bool:
    """Whether the decoder sees SAM's other output tokens too: a decoder that is not trained is
    left as it is."""
    if options.output_tokens == "auto":
        return not options.train
    return bool(options.output_tokens == "all")
