"""What is set for convolutional networks on a GPU, and that a CPU is left alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from monai.networks.nets import UNet
from torch import nn

from bench.train.convolutions import convolutional, keeps_channels_last
from methods.hssl.unet import UNet as OwnUNet

BATCH = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4))
GROUP = nn.Sequential(nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4))


class Moved(nn.Module):
    """Notes where it is sent: there is no GPU to send it to."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside
        self.sent: list[tuple[tuple[object, ...], dict[str, object]]] = []

    def to(self, *where: object, **how: object) -> Moved:  # type: ignore[override]
        self.sent.append((where, how))
        return self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    torch.backends.cudnn.benchmark = False
    yield
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(False)


def test_norms_that_undo_the_layout() -> None:
    assert keeps_channels_last(BATCH)
    assert not keeps_channels_last(GROUP)
    assert not keeps_channels_last(OwnUNet(classes=1, width=4, size=32))
    assert not keeps_channels_last(UNet(2, 1, 2, channels=[4, 8], strides=[2]))


@pytest.mark.parametrize("inside", [BATCH, GROUP], ids=["batch norm", "group norm"])
def test_on_a_gpu(inside: nn.Module) -> None:
    network = Moved(inside)
    assert convolutional(network, "cuda:0") is network
    assert network.sent == [((torch.device("cuda:0"),), {})]
    weight = network.inside[0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last) is (inside is BATCH)
    assert torch.backends.cudnn.benchmark


def test_deterministic_algorithms_are_not_looked_for() -> None:
    torch.use_deterministic_algorithms(True)
    convolutional(Moved(GROUP), "cuda")
    assert not torch.backends.cudnn.benchmark


def test_a_cpu_is_left_alone() -> None:
    network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4))
    assert convolutional(network, "cpu") is network
    weight = network[0].weight
    assert weight.is_contiguous()
    assert not torch.backends.cudnn.benchmark
