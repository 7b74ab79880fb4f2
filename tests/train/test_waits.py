"""How often a training step waits for the device: for its loss, and for nothing else.

Counted on the CPU by what waits on a GPU: a number read from a tensor, places that are counted
before they are used (a mask as an index), and constants that are made anew and copied. What the
host does to prepare a batch is not counted. Under a budget of seconds the clock waits twice more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from bench.data.slices import Canvas
from bench.models.checkpoints import card_of
from bench.models.sam import build_sam
from bench.train import fit as fitting
from bench.train.ahead import Ahead
from methods.hssl.views import Views
from methods.persam.asking import Rows, personal, personal_f
from tests.methods.fewshot_tiny import fewshot
from tests.methods.sam_tiny import sam_method
from tests.methods.test_unet import squares, unet
from tests.methods.tiny import pulled

READ = {
    "aten::_local_scalar_dense": "number",
    "aten::nonzero": "places",
    "aten::masked_select": "places",
    "aten::lift_fresh": "constant",
    "aten::bincount": "places",
    "aten::_unique2": "places",
}


class Waits(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self.on = True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kind = READ.get(func.name().split(".")[0])
        if func.name().startswith("aten::index") and self._by_mask(args):
            kind = "places"
        if kind is not None and self.on:
            self.found[kind] += 1
        return func(*args, **(kwargs or {}))

    @staticmethod
    def _by_mask(args: Any) -> bool:
        listed = args[1] if len(args) > 1 and isinstance(args[1], list | tuple) else ()
        return any(isinstance(x, Tensor) and x.dtype in (torch.bool, torch.uint8) for x in listed)

    @contextmanager
    def off(self) -> Iterator[None]:
        self.on, before = False, self.on
        try:
            yield
        finally:
            self.on = before


def waits_a_step(
    method: Any, monkeypatch: pytest.MonkeyPatch, *, classes: int, steps: int = 6
) -> list[dict[str, int]]:
    """Of each step. What `Source` has the host do is left out."""
    waits = Waits()

    def unseen(work: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def wrapped(given: Any) -> Any:
            with waits.off():
                return work(given)

        return wrapped

    class OnTheDevice(Ahead):
        def __post_init__(self) -> None:
            source = self.source
            if source.ahead:
                own = {"choose": unseen(source.choose), "gather": unseen(source.gather)}
                self.source = replace(source, **own)
            super().__post_init__()

    monkeypatch.setattr(fitting, "Ahead", OnTheDevice)
    counts: list[dict[str, int]] = []
    with waits:
        for progress in pulled(method, [squares()], steps=steps, classes=classes):
            if progress.steps:
                counts.append(dict(waits.found))
            waits.found.clear()
    return counts


def test_what_waits_is_seen() -> None:
    x = torch.arange(4.0)
    with Waits() as waits:
        float(x.sum())
        x[x > 1] = torch.zeros(2)
        x[x > 1]
        bool((x > 1).any())
        torch.tensor([1.0, 2.0])
        x[torch.arange(2)]
    assert dict(waits.found) == {"number": 2, "places": 2, "constant": 1}


def _samed(_: Path) -> Any:
    return sam_method("samed")


def _unet(_: Path) -> Any:
    return unet()


def _fewshot(cache: Path) -> Any:
    return fewshot(cache)


def _hssl(_: Path) -> Any:
    return sam_method("hssl", terms="none", image_size=64, width=4)


@pytest.mark.parametrize(
    "make", [_samed, _unet, _fewshot, _hssl], ids=lambda make: make.__name__[1:]
)
def test_a_step_waits_for_its_loss_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Any]
) -> None:
    method = make(tmp_path)
    counts = waits_a_step(method, monkeypatch, classes=2)
    assert len(counts) == 6
    # The first step makes the constants of the device.
    assert counts[1:] == [{"number": 1}] * 5


@torch.inference_mode()
def test_persam_waits_once_for_each_of_its_boxes() -> None:
    """Which masks have one is asked for once, and then each index is by number."""
    sam = build_sam(card_of("sam", "nano"), image_size=64)
    generator = torch.Generator().manual_seed(0)
    image = sam.image_encoder(torch.randn(3, 3, 64, 64, generator=generator))
    rows = Rows(image, image[:, :, 2, 3].clone(), (48, 64))
    learned = torch.full((3, 2), 1 / 3)
    for ask, boxes in (
        (lambda: personal(sam, Canvas(64), rows), 1),
        (lambda: personal_f(sam, Canvas(64), rows, learned), 2),
    ):
        ask()  # makes the constants
        with Waits() as waits:
            ask()
        assert dict(waits.found) == {"places": boxes}


def test_views_on_a_gpu_are_not_counted_first() -> None:
    """Half of them are blurred there as here, each by a deviation of its own."""
    images = torch.rand(400, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    with Waits() as waits:
        found = Views().blurred_some(images)
    assert not waits.found
    same = (found == images).flatten(1).all(dim=1)
    assert 150 < int(same.sum()) < 250
    moved = (found - images).flatten(1).norm(dim=1)[~same]
    assert len(moved.unique()) == len(moved)
