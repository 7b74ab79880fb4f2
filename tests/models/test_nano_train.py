"""Training: words checked, schedule as stated, losses that fall, runs that survive a kill."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from bench.errors import RequestError
from bench.models.nano import train as training
from bench.models.nano.dino_task import KEEP_FIRST, KEEP_LAST, DinoTask
from bench.models.nano.export import export, load
from bench.models.nano.plan import Plan, parsed
from bench.models.nano.sam2_task import Sam2Task
from bench.models.nano.sam_task import SamTask
from bench.models.nano.saved import load_state, save_state
from bench.models.nano.train import Progress, done_share, new_optimizer, rate_at, train

CPU = torch.device("cpu")
SMALL: dict[str, Callable[[], nn.Module]] = {
    "sam": lambda: SamTask(images=2, each=2),
    "sam2": lambda: Sam2Task(episodes=1, objects=2),
    "dino": lambda: DinoTask(patients=4),
}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    torch.set_flush_denormal(False)


def test_words_become_a_plan() -> None:
    plan = parsed(["which=sam2", "steps=7", "seconds=1.5", "half=false", "out=some/where"])
    assert plan == Plan(which="sam2", steps=7, seconds=1.5, half=False, out=Path("some/where"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "say which network to train: which=sam|sam2|dino"),
        (["which=clip"], "say which network to train: which=sam|sam2|dino"),
        (["which=sam", "speed=9"], "nano training does not know 'speed=9'"),
        (["which=sam", "steps"], "nano training does not know 'steps'"),
        (["which=sam", "steps=many"], "steps=many: not a value of type int"),
        (["which=sam", "half=perhaps"], "half=perhaps: write true or false"),
        (["which=sam", "steps=0"], "steps and threads of nano training must be at least 1"),
    ],
)
def test_wrong_words_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        parsed(words)
    assert message in str(caught.value)


def test_learning_rate_rises_stays_and_falls_to_nothing() -> None:
    plan = Plan(which="sam", steps=1000, warmup=100, rate=1.0)
    rates = [rate_at(plan, Progress(step=n)) for n in (0, 49, 99, 600, 800, 999)]
    assert rates == pytest.approx([0.01, 0.5, 1.0, 1.0, 0.5, 0.0025])


def test_the_clock_ends_a_run_with_seconds_and_steps_end_one_without() -> None:
    timed = Plan(which="sam", steps=1000, seconds=50.0)
    assert done_share(timed, Progress(step=10, seconds=25.0)) == 0.5
    assert done_share(timed, Progress(step=900, seconds=25.0)) == 0.9
    assert done_share(replace(timed, seconds=0.0), Progress(step=10, seconds=9e9)) == 0.01


def test_weight_decay_spares_biases_norms_tokens_and_positions() -> None:
    task = SMALL["sam"]()
    plan = Plan(which="sam", decay=0.05)
    optimizer = new_optimizer(plan, task)
    name_of = {id(p): n for n, p in task.named_parameters()}
    decayed, spared = ({name_of[id(p)] for p in g["params"]} for g in optimizer.param_groups)
    assert optimizer.param_groups[0]["weight_decay"] == 0.05
    assert optimizer.param_groups[1]["weight_decay"] == 0.0
    assert "network.image_encoder.blocks.0.attn.qkv.weight" in decayed
    for name in ("pos_embed", "blocks.1.attn.rel_pos_h", "blocks.0.norm1.weight", "neck.1.bias"):
        assert f"network.image_encoder.{name}" in spared
    assert "network.mask_decoder.mask_tokens.weight" in spared
    assert decayed | spared == {n for n, p in task.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("which", SMALL)
def test_a_few_steps_on_one_batch_reduce_the_loss(which: str) -> None:
    torch.manual_seed(0)
    task = SMALL[which]()
    if which == "sam2":
        task.begin(0.0)
    optimizer = torch.optim.AdamW([p for p in task.parameters() if p.requires_grad], lr=1e-3)
    losses = []
    for _ in range(8):
        loss = task.loss(torch.Generator().manual_seed(5), CPU)["loss"]
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("which", SMALL)
def test_every_weight_that_is_used_learns(which: str) -> None:
    torch.manual_seed(0)
    task = SMALL[which]()
    if which == "sam":
        task.begin(1.0)
    if which == "sam2":
        task.begin(0.0)
    # Both supports with and without the object are needed for all of SAM 2's memory weights.
    for seed in range(3):
        task.loss(torch.Generator().manual_seed(seed), CPU)["loss"].backward()
    idle = {n for n, p in task.named_parameters() if p.requires_grad and p.grad is None}
    # Used for prompts on a first frame, which the memory route does not have.
    expected = {"network.no_mem_embed", "network.no_mem_pos_enc"} if which == "sam2" else set()
    assert idle == expected


def test_the_teacher_follows_the_student_and_is_what_is_shipped() -> None:
    task = DinoTask(patients=4)
    with torch.no_grad():
        for p in task.student.parameters():
            p.add_(1.0)
    task.after_step()
    mean, new = task.network.norm.bias, task.student[0].norm.bias
    torch.testing.assert_close(mean, (1 - KEEP_FIRST) * new)
    task.begin(1.0)
    task.after_step()
    kept = (1 - KEEP_FIRST) * KEEP_LAST + (1 - KEEP_LAST)
    torch.testing.assert_close(mean, kept * new)
    assert task.network is task.teacher[0]


def test_sam2_learns_on_small_images_first() -> None:
    task = SMALL["sam2"]()
    task.begin(0.74)
    assert (task.size, task.network.image_size) == (128, 128)
    task.begin(0.75)
    assert (task.size, task.network.image_size) == (256, 256)


def test_dino_learns_on_small_images_first() -> None:
    task = SMALL["dino"]()
    sizes = []
    for done in (0.0, 0.69, 0.7, 1.0):
        task.begin(done)
        sizes.append(task.size)
    assert sizes == [64, 64, 96, 96]


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(training, "new_task", lambda which: SMALL[which]())
    plan = Plan(which="sam", steps=4, save_every=0.0, out=tmp_path / "whole")
    train(plan)
    broken = replace(plan, out=tmp_path / "broken")
    real, calls = training._step, []

    def dies_in_step_three(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(training, "_step", dies_in_step_three)
    with pytest.raises(KeyboardInterrupt):
        train(broken)
    monkeypatch.setattr(training, "_step", real)
    assert load_state(broken.out / "sam.pt", {})["step"] == 2
    train(broken)
    states = [load_state(out / "sam.pt", {}) for out in (plan.out, broken.out)]
    assert states[0]["step"] == states[1]["step"] == 4
    tasks = [state["task"] for state in states]
    assert tasks[0].keys() == tasks[1].keys()
    assert all(torch.equal(tensor, tasks[1][name]) for name, tensor in tasks[0].items())
    exported = [(out / "sam.safetensors").read_bytes() for out in (plan.out, broken.out)]
    assert exported[0] == exported[1]
    log = [json.loads(line) for line in (broken.out / "sam.jsonl").read_text().splitlines()]
    assert log[-1]["step"] == 4


def test_a_checkpoint_of_another_plan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sam.pt"
    save_state(path, {"plan": {"seed": 0}, "step": 5})
    with pytest.raises(RequestError, match=r"was trained with seed=0, not seed=1; give the same"):
        load_state(path, {"seed": 1})
    assert load_state(tmp_path / "none.pt", {"seed": 1}) is None


def test_an_interrupted_save_leaves_the_old_state(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "sam.pt"
    save_state(path, {"plan": {}, "step": 1})

    def breaks(*_):
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", breaks)
    with pytest.raises(OSError, match="disk full"):
        save_state(path, {"plan": {}, "step": 2})
    assert load_state(path, {})["step"] == 1


def test_export_rounds_to_half_and_refuses_what_does_not_fit(tmp_path: Path) -> None:
    torch.manual_seed(0)
    task = SMALL["sam"]()
    path = tmp_path / "sam.safetensors"
    export("sam", task, path)
    back = load("sam", path).state_dict()
    for name, value in task.network.state_dict().items():
        assert torch.equal(back[name], value.half().float())
    with torch.no_grad():
        task.network.mask_decoder.iou_token.weight[0, 0] = 1e6
    with pytest.raises(ValueError, match=r"sam: mask_decoder.iou_token.weight has a value that"):
        export("sam", task, path)
