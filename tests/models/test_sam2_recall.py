"""Memories of labelled slices: kept, joined, and shown to slices one by one or from the middle."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.models.checkpoints import card_of
from bench.models.sam2 import build_sam2
from bench.models.sam2 import recall as module
from bench.models.sam2.encode import Features, encode
from bench.models.sam2.memory import Memory, ask, remember_answer, rows_of
from bench.models.sam2.pool import Pool, empty_pool, patient_number, remember_labels
from bench.models.sam2.recall import recall, recall_volume

SIZE, CLASSES = 64, 2


@cache
def nano() -> Any:
    return build_sam2(card_of("sam2", "nano"), image_size=SIZE)


def images(count: int, seed: int = 0) -> Features:
    generator = torch.Generator().manual_seed(seed)
    return encode(nano(), torch.randn(count, 3, SIZE, SIZE, generator=generator))


def labels() -> Tensor:
    """Three slices: both classes, the first alone, none."""
    label = torch.zeros(3, SIZE, SIZE, dtype=torch.uint8)
    label[:2, 10:30, 10:30] = 1
    label[0, 40:60, 20:50] = 2
    return label


@torch.inference_mode()
def pool() -> Pool:
    return remember_labels(nano(), images(3), labels(), classes=CLASSES, patient="p")


@torch.inference_mode()
def test_a_pool_knows_what_its_slices_show() -> None:
    found = pool()
    assert found.present.tolist() == [[True, True], [True, False], [False, False]]
    assert found.spatial.dtype == torch.bfloat16
    alone = remember_labels(
        nano(), rows_of(images(3), torch.tensor([1])), labels()[1:2], classes=CLASSES, patient="p"
    )
    torch.testing.assert_close(alone.pointer[0], found.pointer[1], rtol=1e-4, atol=1e-5)
    absent = nano().no_obj_ptr[0]
    torch.testing.assert_close(found.pointer[2], absent.expand(CLASSES, -1))


def test_pools_join_and_come_back_from_a_state() -> None:
    nothing = empty_pool(nano(), CLASSES, torch.device("cpu"))
    both = nothing + pool() + pool()
    assert len(nothing) == 0
    assert len(both) == 6
    again = Pool.from_state(both.state(), torch.device("cpu"))
    assert torch.equal(again.spatial, both.spatial)
    assert torch.equal(again.patient, both.patient)


def test_one_s_own_slices_are_told_by_a_number_that_stays() -> None:
    found = pool()
    assert not found.others("p").any()
    assert found.others("q").all()
    # sha256("p") begins 148de9c5a7a44d19; a number of Python's own hash would change.
    assert patient_number("p") == 0x148DE9C5A7A44D19 >> 1


@torch.inference_mode()
def test_rows_of_different_lengths_and_in_passes_of_any_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    query, bank = images(2, seed=1), pool()
    chosen = [[(0, 1), (1,)], [(), (2, 1, 0)]]
    found = recall(nano(), query, chosen, bank)
    assert found.logits.shape == (2, CLASSES, SIZE // 4, SIZE // 4)
    assert (found.logits[1, 0] == -1024).all()
    given = [bank.take(torch.tensor([n]), torch.tensor([1])) for n in (2, 1, 0)]
    alone = ask(nano(), rows_of(query, torch.tensor([1])), given)
    torch.testing.assert_close(found.logits[1, 1], alone.best()[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.present[1, 1], alone.present[0], rtol=1e-4, atol=1e-4)
    monkeypatch.setattr(module, "CPU_ROOM", 1)  # one row a pass
    small = recall(nano(), query, chosen, bank)
    torch.testing.assert_close(small.logits, found.logits, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("depth", [1, 2, 5])
def test_a_volume_goes_from_its_middle_both_ways(depth: int) -> None:
    """Held to the same steps written out, with one neighbour's answer in memory."""
    whole, bank = images(depth, seed=2), pool()
    chosen = [[(0, 1), (0,)]] * depth
    calls: list[list[int]] = []

    def encoder(at: Sequence[int]) -> Features:
        calls.append(list(at))
        return rows_of(whole, torch.tensor(at))

    found = dict(recall_volume(nano(), encoder, chosen, bank, memory=1))
    middle = depth // 2
    assert sorted(found) == list(range(depth))
    assert calls[0] == [middle]
    assert sorted(z for at in calls for z in at) == list(range(depth))

    def by_hand(z: int, before: list[Memory]) -> tuple[Tensor, Memory]:
        image = rows_of(whole, torch.tensor([z]))
        given = [bank.take(torch.tensor([n]), torch.tensor([0])) for n in (0, 1)]
        answer = ask(nano(), image, given, before)
        best = answer.best()
        kept = remember_answer(nano(), image, best, answer.token(), answer.present)
        return best[0], Memory(kept.spatial.to(torch.bfloat16).float(), kept.pointer)

    for way in (-1, 1):
        before: list[Memory] = []
        for z in range(middle, depth if way > 0 else -1, way):
            logits, kept = by_hand(z, before)
            torch.testing.assert_close(found[z][0], logits, rtol=1e-2, atol=1e-2)
            before = [kept]


@torch.inference_mode()
def test_the_last_neighbours_are_kept_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    plain = module.recall

    def counted(*args: Any, **more: Any) -> Any:
        seen.append(len(args[4]))
        return plain(*args, **more)

    monkeypatch.setattr(module, "recall", counted)
    whole = images(9, seed=2)
    list(
        recall_volume(
            nano(),
            lambda at: rows_of(whole, torch.tensor(at)),
            [[(0,), ()]] * 9,
            pool(),
            memory=3,
        )
    )
    assert seen == [0, 1, 2, 3, 3]
