"""The part of a state that is no checkpoint's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.errors import RequestError
from bench.models.trained import load_trained, trained_state


def network(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    made = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    made[0].requires_grad_(False)
    return made


def test_it_is_what_is_trainable() -> None:
    state = trained_state(network(0))
    assert list(state) == ["1.weight", "1.bias", "2.weight", "2.bias"]
    assert not any(value.requires_grad for value in state.values())


def test_it_goes_into_a_module_that_is_built_alike() -> None:
    one, two = network(0), network(1)
    frozen = two[0].weight.clone()
    load_trained(two, trained_state(one), source="a file")
    assert torch.equal(two[2].weight, one[2].weight)
    assert torch.equal(two[0].weight, frozen)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"0.weight": torch.zeros(4, 3)}, "a file holds 0.weight, which is not trained here"),
        ({"3.weight": torch.zeros(1)}, "a file holds 3.weight, which is not trained here"),
        (
            {"2.bias": None},
            "a file does not fit the architecture on its card: 1 missing: 2.bias",
        ),
        (
            {"2.bias": torch.zeros(3)},
            "a file does not fit the architecture on its card: 1 of another shape: "
            "2.bias is 3, expected 2",
        ),
    ],
)
def test_another_state_is_refused(change: dict[str, torch.Tensor | None], message: str) -> None:
    state = {**trained_state(network(0)), **change}
    with pytest.raises(RequestError) as caught:
        load_trained(network(0), {k: v for k, v in state.items() if v is not None}, source="a file")
    assert str(caught.value) == message
