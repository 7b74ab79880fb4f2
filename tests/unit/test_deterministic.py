"""Torch's deterministic algorithms: asked for on a GPU before it is used, as the card says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bench.errors import RequestError
from bench.registry import discover
from bench.request.compose import compose_demand
from bench.train.losses import cross_entropy_dice
from bench.unit.device import make_deterministic
from tests.conftest import ROOT, Bench

SAID = """
import os, sys, torch
from bench.unit.device import make_deterministic
torch.backends.cudnn.benchmark = True
make_deterministic(sys.argv[1], sys.argv[2])
print(torch.are_deterministic_algorithms_enabled(),
      torch.is_deterministic_algorithms_warn_only_enabled(),
      torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic,
      os.environ.get("CUBLAS_WORKSPACE_CONFIG"))
"""


@pytest.mark.parametrize(
    ("device", "repeats", "said"),
    [
        ("cpu", "deterministic", "False False True False None"),
        ("cuda", "deterministic", "True False False True :4096:8"),
        ("cuda:1", "bits", "True False False True :4096:8"),
        ("cuda", "close", "True True False True :4096:8"),
    ],
)
def test_in_a_process_of_its_own(device: str, repeats: str, said: str) -> None:
    words = [sys.executable, "-c", SAID, device, repeats]
    own = {name: text for name, text in os.environ.items() if name != "CUBLAS_WORKSPACE_CONFIG"}
    done = subprocess.run(words, cwd=ROOT, env=own, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == said


def test_the_loss_is_the_same_and_has_the_same_gradient() -> None:
    """Summed outside of the kernel that CUDA cannot repeat."""
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 3, 16, 16), torch.randint(0, 3, (2, 16, 16))
    labels[0, 0, :5] = 255
    found = []
    for deterministic in (False, True):
        torch.use_deterministic_algorithms(deterministic)
        try:
            given = logits.clone().requires_grad_()
            loss = cross_entropy_dice(given, labels)
            loss.backward()
            found.append((loss.detach(), given.grad))
        finally:
            torch.use_deterministic_algorithms(False)
    torch.testing.assert_close(found[0], found[1])


def test_the_request(bench: Bench) -> None:
    registry = discover()
    assert not compose_demand(["method=unet"], registry, gpu=False).deterministic
    words = ["method=unet", "deterministic=true"]
    assert compose_demand(words, registry, gpu=False).deterministic
    with pytest.raises(RequestError, match=r"^deterministic=maybe: true or false$"):
        compose_demand(["method=unet", "deterministic=maybe"], registry, gpu=False)
    shown = bench("show", "unet").out
    assert (
        "  repeats    on a CPU to the bit; on one GPU to the bit with deterministic=true, else "
        "closely\n" in shown
    )
    assert "on one GPU closely: for some of its operations" in bench("show", "nnunet").out


def test_a_cpu_unit_changes_nothing(tmp_path: Path) -> None:
    make_deterministic("cpu", "bits")
    assert not torch.are_deterministic_algorithms_enabled()
