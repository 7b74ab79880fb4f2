"""Train a nano network on drawn images: `python -m bench.models.nano.train which=sam steps=20000`.

A run that was killed goes on from its last checkpoint, at most a minute old, when the same command
is given again. Step n draws its batch from a generator seeded with (seed, n), so a run with steps
alone gives the same bits on the same machine and thread count, resumed or not.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench.errors import RequestError
from bench.models.nano.export import export
from bench.models.nano.plan import Plan, parsed
from bench.models.nano.saved import load_state, save_state
from bench.models.nano.tasks import new_task

FIXED = ("which", "seed", "rate", "decay", "half")  # may not change between resumed parts
LOG_EVERY = 20


@dataclass
class Progress:
    """How far a run is."""

    step: int = 0
    seconds: float = 0.0


def done_share(plan: Plan, progress: Progress) -> float:
    """How much of the training is over, 0 to 1: the larger of steps used and seconds used."""
    share = progress.step / plan.steps
    return max(share, progress.seconds / plan.seconds) if plan.seconds else share


def rate_at(plan: Plan, progress: Progress) -> float:
    """Learning rate: warm-up, flat, then a straight line to nothing over the last 40 %."""
    rise = min(1.0, (progress.step + 1) / plan.warmup)
    return plan.rate * rise * min(1.0, max(0.0, (1 - done_share(plan, progress)) / 0.4))


def finished(plan: Plan, progress: Progress) -> bool:
    """Whether the steps or the seconds are used up."""
    return done_share(plan, progress) >= 1


def new_optimizer(plan: Plan, task: nn.Module) -> torch.optim.AdamW:
    """AdamW that decays matrices alone: not biases, norms, tokens or position tables."""
    learned = [(n, p) for n, p in task.named_parameters() if p.requires_grad]
    spared = ("pos_embed", "rel_pos", "token", "no_", "maskmem_tpos_enc", "not_a_point")

    def plain(name: str, values: torch.Tensor) -> bool:
        return values.ndim < 2 or any(word in name for word in spared)

    groups = [
        {"params": [p for n, p in learned if not plain(n, p)], "weight_decay": plan.decay},
        {"params": [p for n, p in learned if plain(n, p)], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=plan.rate, betas=(0.9, 0.99))


def train(plan: Plan) -> Path:
    """Run or go on with a training; the folder that holds checkpoint, log and exported weights."""
    torch.set_num_threads(plan.threads)
    torch.set_flush_denormal(True)  # numbers next to zero are slow on a CPU and mean nothing here
    torch.manual_seed(plan.seed)
    device = torch.device(plan.device)
    task = new_task(plan.which).to(device)
    optimizer = new_optimizer(plan, task)
    progress = Progress()
    checkpoint = plan.out / f"{plan.which}.pt"
    fixed = {name: getattr(plan, name) for name in FIXED}
    state = load_state(checkpoint, fixed)
    if state is not None:
        task.load_state_dict(state["task"])
        optimizer.load_state_dict(state["optimizer"])
        progress = Progress(state["step"], state["seconds"])

    def save() -> None:
        save_state(
            checkpoint,
            {
                "plan": fixed,
                "task": task.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": progress.step,
                "seconds": progress.seconds,
            },
        )

    task.train()
    last_saved = before = time.monotonic()
    while not finished(plan, progress):
        figures = _step(plan, task, optimizer, progress, device)
        now = time.monotonic()
        progress.step += 1
        progress.seconds += now - before
        before = now
        if progress.step % LOG_EVERY == 0 or finished(plan, progress):
            _log(plan, progress, figures)
        if now - last_saved > plan.save_every:
            save()
            last_saved = now
    save()
    export(plan.which, task, plan.out / f"{plan.which}.safetensors")
    return plan.out


def _step(
    plan: Plan,
    task: Any,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    device: torch.device,
) -> dict[str, float]:
    """One optimiser step on a batch that seed and step number alone decide."""
    generator = torch.Generator().manual_seed(plan.seed * 1_000_003 + progress.step)
    rate = rate_at(plan, progress)
    for group in optimizer.param_groups:
        group["lr"] = rate
    begin = getattr(task, "begin", None)
    if begin is not None:
        begin(done_share(plan, progress))
    with torch.autocast(device.type, torch.bfloat16, enabled=plan.half):
        figures = task.loss(generator, device)
    optimizer.zero_grad(set_to_none=True)
    figures["loss"].backward()
    learned = [p for group in optimizer.param_groups for p in group["params"]]
    norm = nn.utils.clip_grad_norm_(learned, plan.clip, error_if_nonfinite=True)
    optimizer.step()
    after = getattr(task, "after_step", None)
    if after is not None:
        after()
    shown = {name: float(value.detach()) for name, value in figures.items()}
    return {**shown, "norm": float(norm), "rate": rate}


def _log(plan: Plan, progress: Progress, figures: dict[str, float]) -> None:
    plan.out.mkdir(parents=True, exist_ok=True)
    line = {"step": progress.step, "seconds": round(progress.seconds, 1)}
    line |= {name: round(value, 5) for name, value in figures.items()}
    with open(plan.out / f"{plan.which}.jsonl", "a") as stream:
        stream.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    try:
        train(parsed(sys.argv[1:]))
    except RequestError as error:
        sys.exit(str(error))
