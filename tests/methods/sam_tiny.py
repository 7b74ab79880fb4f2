"""Methods on the small networks at 64 px: a step of them is a fraction of a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from bench.registry import discover, load
from tests.methods.test_unet import squares
from tests.methods.tiny import backbone, blind, options, pulled, setting

SIZE = 64


def sam_method(name: str, *, seed: int = 0, classes: int = 2, **changes: Any) -> Any:
    """The method with the card's defaults and these changes, on the CPU."""
    torch.manual_seed(seed)
    given = {"image_size": SIZE, "batch": 4, **changes}
    found, _ = discover().method(name)
    chosen = options(name, **given)
    return load(found)(chosen, replace(setting(classes), backbone=backbone(name, chosen)))


def tensors(method: Any) -> dict[str, torch.Tensor]:
    """All of the network, checkpoint included, as it is now."""
    return {name: value.clone() for name, value in method.network.state_dict().items()}


def flat(method: Any) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in method.state_dict().values()])


def assert_seeded(make: Callable[[int], Any]) -> None:
    """`make(seed)`'s training is fixed by the seed, and the harness may look at it in between."""

    def trained(seed: int, look: bool = False) -> torch.Tensor:
        method = make(seed)
        for _ in pulled(method, [squares()], steps=3, classes=2):
            if look:
                state = torch.get_rng_state()  # the harness keeps a stream of its own for this
                method.predict(blind(squares(depth=1)))
                torch.set_rng_state(state)
        return flat(method)

    first = trained(0)
    assert torch.equal(first, trained(0))
    assert torch.equal(first, trained(0, look=True))
    assert not torch.equal(first, trained(1))
