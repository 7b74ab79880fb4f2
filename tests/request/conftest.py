"""A registry with a method and a dataset of the tests' own, whose options are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import RequestError
from bench.registry import Registry, discover
from bench.request.compose import compose_demand
from bench.request.demand import Demand

METHOD = """
title: Toy
summary: For tests.
entry: method:Toy
options:
  lr: 0.1
  steps: 5
  flip: false
  name: auto
  sizes: [8, 16]
  mode: {default: slow, choices: [slow, fast]}
"""
DATASET = """
title: Toy data
summary: For tests.
entry: dataset:Toy
modality: MR
classes: [gland]
licence: CC0
citation: nobody
official: files
layouts: {files: ""}
options:
  root: null
  side: 32
"""

Compose = Callable[..., Demand]
Refuse = Callable[..., str]


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    folder = tmp_path_factory.mktemp("own")
    for kind, name, card in (
        ("method", "toy_method", METHOD),
        ("method", "plain_method", METHOD.partition("options:")[0]),
        ("dataset", "toy_data", DATASET),
        ("method", "broken_method", METHOD + "colour: red\n"),
    ):
        (folder / name).mkdir()
        (folder / name / "card.yaml").write_text(card)
        (folder / name / f"{kind}.py").write_text("class Toy: ...\n")
    return discover([Path(folder)])


@pytest.fixture(scope="session")
def compose(registry: Registry) -> Compose:
    """compose("shots=1", ...): the demand, for the toy method and data unless it says otherwise."""

    def call(*words: str, gpu: bool = False) -> Demand:
        given = {word.partition("=")[0] for word in words}
        toys = {"method": "method=toy_method", "dataset": "dataset=toy_data"}
        rest = [word for key, word in toys.items() if key not in given]
        return compose_demand([*rest, *words], registry, gpu=gpu)

    return call


@pytest.fixture(scope="session")
def refuse(compose: Compose) -> Refuse:
    """refuse("shots="): the line with which that request is refused."""

    def call(*words: str, gpu: bool = False) -> str:
        with pytest.raises(RequestError) as caught:
            compose(*words, gpu=gpu)
        text = str(caught.value)
        assert "\n" not in text
        return text

    return call
