"""Which experts a unit has, and what they know when stage 2 begins: the option `experts`."""

from __future__ import annotations

from dataclasses import dataclass

from bench.errors import RequestError
from methods.samora.pretraining import LEVELS

ABLATIONS = {"none": (), "random": tuple(LEVELS), "lora": tuple(LEVELS)}


@dataclass(frozen=True)
class Choice:
    """levels      experts there are, highest first
    pretrained  by stage 1
    random      B drawn at random and never trained: capacity without pre-training
    trained     in stage 2, from B = 0: the same capacity as plain LoRA
    """

    levels: tuple[str, ...]
    pretrained: bool = False
    random: bool = False
    trained: bool = False


def choice_of(experts: str) -> Choice:
    """`image+patch+pixel`, any of them, or `random`, `lora`, `none`."""
    if experts in ABLATIONS:
        return Choice(ABLATIONS[experts], random=experts == "random", trained=experts == "lora")
    asked = experts.split("+")
    if not set(asked) <= LEVELS.keys() or len(set(asked)) < len(asked):
        raise RequestError(
            f"method.experts={experts}: join some of {', '.join(LEVELS)} with +, as in "
            f"{'+'.join(LEVELS)}, or give one of {', '.join(ABLATIONS)}"
        )
    return Choice(tuple(level for level in LEVELS if level in asked), pretrained=True)
