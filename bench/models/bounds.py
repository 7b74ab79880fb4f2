"""A number among a method's options that has bounds."""

from __future__ import annotations

from bench.errors import RequestError


def within(name: str, value: int, least: int, most: int | None = None) -> int:
    """The value, or one line that says what it may be."""
    if value < least or (most is not None and value > most):
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise RequestError(f"{name}={value}: give a whole number {bounds}")
    return value
