"""The empty control: background, everywhere."""

from __future__ import annotations

import numpy as np

from methods.control_empty.method import Empty
from tests.methods.tiny import blind, options, setting, volume


def test_it_finds_nothing() -> None:
    method = Empty(options("control_empty"), setting(3))
    for shape in ((4, 5, 6), (1, 30, 2)):
        prediction = method.predict(blind(volume(np.ones(shape))))
        assert (prediction.shape, prediction.dtype, prediction.any()) == (shape, np.uint8, False)


def test_it_learns_nothing() -> None:
    method = Empty(options("control_empty"), setting())
    assert not hasattr(method, "adapt")
    state = dict(method.state_dict())
    method.load_state_dict(state)
    assert sum(value.size for value in state.values()) == 0
