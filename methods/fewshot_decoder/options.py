"""Options that a card cannot check by itself, and what their `auto` stands for."""

from __future__ import annotations

from types import SimpleNamespace

from bench.errors import RequestError

LEAST = {
    "clusters": 1,
    "cells": 1,
    "ring": 1,
    "learned_tokens": 1,
    "retrieve_k": 0,
    "copies": 1,
    "batch": 1,
    "steps": 1,
    "warm_up": 1,
}
RATE, SMALL_RATE = 1e-4, 1e-3
"""For published weights as specified; ours are small, hardly trained, and learn at ten times it."""


def checked(options: SimpleNamespace) -> SimpleNamespace:
    """The same options, or a RequestError."""
    for name, least in LEAST.items():
        if getattr(options, name) < least:
            raise RequestError(f"{name}={getattr(options, name)}: give {least} or more")
    for name in ("empty_share", "fill_share", "crop_margin"):
        if not 0 <= getattr(options, name) <= 1:
            raise RequestError(f"{name}={getattr(options, name)}: give a share from 0 to 1")
    rate_of(options, small=False)
    return options


def rate_of(options: SimpleNamespace, *, small: bool) -> float:
    """Peak learning rate. small: a network that comes with the package."""
    if options.lr == "auto":
        return SMALL_RATE if small else RATE
    try:
        return float(options.lr)
    except ValueError:
        raise RequestError(f"lr={options.lr}: give a number, or auto") from None


def all_tokens(options: SimpleNamespace) -> bool:
    """Whether the decoder sees SAM's other output tokens too: a decoder that is not trained is
    left as it is."""
    if options.output_tokens == "auto":
        return not options.train
    return bool(options.output_tokens == "all")
