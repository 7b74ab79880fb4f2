"""The pretend device is as strict as a real one: what is refused there is refused here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.pretend_cuda import version
from tests.pretend_cuda.environment import environment

PROBES = {
    "two devices": ("x + torch.zeros(4, 4)", "Expected all tensors to be on the same device"),
    "an index of the device on the host": ("torch.zeros(4)[x.long()[0]]", "indices should be"),
    "numpy": ("x.numpy()", "Use Tensor.cpu() to copy the tensor to host memory"),
    "numpy by another door": ("np.asarray(x)", "Use Tensor.cpu() to copy the tensor"),
    "a generator of the host": (
        "torch.rand(2, device='cuda', generator=torch.Generator())",
        "Expected a 'cuda' device type for generator",
    ),
    "a generator of the device": (
        "torch.rand(2, generator=torch.Generator('cuda'))",
        "Expected a 'cpu' device type for generator",
    ),
    "an ordinal that is not there": ("torch.zeros(1, device='cuda:2')", "invalid device ordinal"),
    "two GPUs": ("x + torch.zeros(4, 4, device='cuda:1')", "cuda:0 and cuda:1"),
    "products of integers": ("x.long() @ x.long()", '"mm_cuda" not implemented'),
    "a number beyond half": ("x.half().masked_fill(x > 0, -1e9)", "without overflow"),
    "bf16 on an older GPU": ("x.bfloat16() @ x.bfloat16()", "needs compute capability 8.0"),
    "more than there is": ("torch.zeros(2**30, device='cuda')", "CUDA out of memory"),
    "more than the cap": ("capped(lambda: torch.zeros(2**25, device='cuda'))", "out of memory"),
    "a cap on no GPU in particular": (
        "torch.cuda.set_per_process_memory_fraction(0.5, 'cuda')",
        "with a specified index",
    ),
}
SCRIPT = """
import json, sys
import numpy as np, torch
x = torch.ones(4, 4, device="cuda")
assert x.device == torch.device("cuda:0") and x.is_cuda
def capped(work):
    torch.cuda.set_per_process_memory_fraction(0.1, 0)
    try: work()
    finally: torch.cuda.set_per_process_memory_fraction(1.0, 0)
said = {}
for name, code in json.loads(sys.argv[1]).items():
    try: eval(code)
    except Exception as error: said[name] = f"{type(error).__name__}: {error}"
# What a device does:
net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(8, 1))
before = list(net.parameters())
net.to("cuda")
assert all(one is two for one, two in zip(before, net.parameters()))  # optimisers hold on
optimiser = torch.optim.AdamW(net.parameters())
image = x[None, None]
with torch.autocast("cuda", torch.float16):
    loss = net(image).mean()
    assert net[0](image).dtype == torch.float16
loss.backward()
optimiser.step()
assert net[0].weight.grad.device == image.device
host = torch.get_rng_state()
first = torch.rand(3, device="cuda")
assert torch.equal(host, torch.get_rng_state())  # a stream of its own
torch.manual_seed(0); one = torch.rand(3, device="cuda").tolist()
torch.manual_seed(0); assert torch.rand(3, device="cuda").tolist() == one
torch.cuda.reset_peak_memory_stats()
before = torch.cuda.memory_allocated()
big = torch.zeros(1000, 256, device="cuda"); view = big[10:]
assert torch.cuda.memory_allocated() - before == 1000 * 256 * 4
del big; assert torch.cuda.memory_allocated() - before == 1000 * 256 * 4
del view; assert torch.cuda.memory_allocated() == before
assert torch.cuda.max_memory_allocated() - before == 1000 * 256 * 4
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said(installable: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    probes = json.dumps({name: code for name, (code, _) in PROBES.items()})
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, probes],
        cwd=ROOT,
        env=environment(count=2, capability="7.5", gigabytes=1),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return answers


@pytest.mark.parametrize("name", PROBES)
def test_it_refuses(said: dict[str, str], name: str) -> None:
    assert PROBES[name][1] in said.get(name, "nothing was refused")


COUNTED = """
import torch
def step(x, image):
    float(x.sum())
    x.cpu()
    x[x > 0]
    image.to("cuda")
for _ in range(3):
    step(torch.ones(4, device="cuda"), torch.ones(4))
"""


def test_waiting_and_copies_are_counted_by_line(installable: None, tmp_path: Path) -> None:
    script = ROOT / "tests" / "cuda" / f"counted-{tmp_path.name}.py"
    counts = tmp_path / "counts"
    script.write_text(COUNTED)
    try:
        subprocess.run(
            [sys.executable, str(script)],
            cwd=ROOT,
            env=environment(counts=counts),
            check=True,
            timeout=200,
        )
    finally:
        script.unlink()
    (line,) = [json.loads(text) for text in counts.read_text().splitlines()]
    where = f"tests/cuda/{script.name}"
    assert sorted(map(tuple, line["lines"])) == [
        ("device to host", f"{where}:5", 3),
        ("host to device", f"{where}:7", 3),
        ("sync", f"{where}:4", 3),
        ("sync", f"{where}:6", 3),
    ]


def test_it_is_there_with_the_pinned_torch() -> None:
    """The other tests skip where it cannot be installed. Here it can: none of them is skipped."""
    from importlib.metadata import version as installed

    if installed("torch").split("+")[0] != version.pinned_version().split("+")[0]:
        pytest.skip("another torch than the pinned one")
    assert version.refusal() is None


def test_another_torch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "version", lambda name: "9.9.0")
    pinned = version.pinned_version()
    assert version.refusal() == (
        f"pretend CUDA: written for torch {pinned} (constraints.txt), and this is 9.9.0"
    )
