"""What a network computes in, by device."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from bench.errors import RequestError
from bench.train.precision import autocast, resolve_precision


def test_the_precision_of_a_cpu() -> None:
    assert resolve_precision("auto", "cpu") == "fp32"
    assert resolve_precision("bf16", "cpu") == "bf16"
    with pytest.raises(
        RequestError, match=r"^precision=fp16 needs a GPU: take fp32 or bf16 on a CPU$"
    ):
        resolve_precision("fp16", "cpu")
    with pytest.raises(
        RequestError, match=r"^precision=half: it is one of auto, fp32, bf16, fp16$"
    ):
        resolve_precision("half", "cpu")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("has_bf16", "expected"), [(True, "bf16"), (False, "fp16")], ids=["new", "old"]
)
def test_the_precision_of_a_gpu(
    monkeypatch: pytest.MonkeyPatch, has_bf16: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: has_bf16)
    assert resolve_precision("auto", "cuda") == expected
    assert resolve_precision("fp32", "cuda:1") == "fp32"


@pytest.fixture
def tf32() -> Iterator[None]:
    """Allowed everywhere; torch's own default allows it in convolutions alone."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = True
    yield
    matmul.allow_tf32, cudnn.allow_tf32 = before


@pytest.mark.filterwarnings("ignore:CUDA is not available")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_float32_on_a_gpu_is_never_tf32(tf32: None, precision: str) -> None:
    """Every forward pass sees to it; one on a CPU has nothing to do with it."""
    autocast(precision, "cpu")
    assert torch.backends.cudnn.allow_tf32
    autocast(precision, "cuda:0")
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
