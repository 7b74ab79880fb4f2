"""What training changed, apart from the checkpoint: small enough to be kept with each record."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.checkpoints.fill import fill


def trained_state(module: nn.Module) -> dict[str, Tensor]:
    """The trainable parameters by name. All else is frozen and comes from the checkpoint."""
    return {n: value.detach() for n, value in module.named_parameters() if value.requires_grad}


def load_trained(module: nn.Module, state: Mapping[str, Tensor], *, source: str) -> None:
    """What `trained_state` gave, into a module that is built alike: all of it, nothing else."""
    trained = trained_state(module)
    foreign = sorted(state.keys() - trained.keys())
    if foreign:
        raise RequestError(f"{source} holds {foreign[0]}, which is not trained here")
    frozen = {name: v for name, v in module.state_dict().items() if name not in trained}
    fill(module, {**frozen, **state}, source=source)
