"""Convolutional networks on a GPU: the kernels that cuDNN finds fastest, the layout they want."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)
NCHW_NORMS = (nn.GroupNorm, nn.modules.instancenorm._InstanceNorm)
"""On CUDA torch computes these on contiguous channels alone: behind each convolution a network in
the other layout would be copied there and back."""


def convolutional(network: Network, device: torch.device | str) -> Network:
    """The network on the device. On a GPU cuDNN tries its kernels for each shape once
    (`cudnn.benchmark`), and the weights are channels_last where no norm undoes it. On a CPU
    nothing is changed."""
    device = torch.device(device)
    if device.type != "cuda":
        return network.to(device)
    # Which kernel is fastest is measured: with deterministic algorithms asked for, none is.
    torch.backends.cudnn.benchmark = not torch.are_deterministic_algorithms_enabled()
    network = network.to(device)
    if keeps_channels_last(network):
        nn.utils.convert_conv2d_weight_memory_format(network, torch.channels_last)
    return network


def keeps_channels_last(network: nn.Module) -> bool:
    return not any(isinstance(module, NCHW_NORMS) for module in network.modules())
