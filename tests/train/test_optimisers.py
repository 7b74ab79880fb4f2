"""One kernel a step, and the same steps as torch's own loop up to rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from bench.train.optimisers import adam, adamw


@pytest.mark.parametrize(("made", "plain"), [(adamw, torch.optim.AdamW), (adam, torch.optim.Adam)])
def test_the_steps_are_torchs(
    made: Callable[..., torch.optim.Optimizer], plain: Callable[..., Any]
) -> None:
    torch.manual_seed(0)
    start = torch.randn(50)
    ends = []
    for kind in (made, plain):
        values = nn.Parameter(start.clone())
        optimiser = kind([{"params": [values], "lr": 0.1}], weight_decay=0.01)
        for _ in range(20):
            optimiser.zero_grad()
            (values.square() * torch.linspace(0, 3, 50)).sum().backward()
            optimiser.step()
        ends.append(values.detach())
    torch.testing.assert_close(ends[0], ends[1], atol=1e-6, rtol=1e-5)
    assert not torch.allclose(ends[0], start)


@pytest.mark.parametrize("made", [adamw, adam])
def test_parameters_or_groups_of_them(made: Callable[..., torch.optim.Optimizer]) -> None:
    one, other = nn.Linear(2, 2), nn.Linear(2, 2)
    flat = made(one.parameters(), lr=0.1)
    assert [len(group["params"]) for group in flat.param_groups] == [2]
    groups = made(
        [{"params": one.parameters(), "lr": 0.1}, {"params": other.parameters(), "lr": 0.2}]
    )
    assert [group["lr"] for group in groups.param_groups] == [0.1, 0.2]
    assert all(group["fused"] for group in (*flat.param_groups, *groups.param_groups))


def test_where_torch_has_no_kernel_it_loops() -> None:
    assert not adamw([torch.zeros(2, device="meta")], lr=0.1).param_groups[0]["fused"]
