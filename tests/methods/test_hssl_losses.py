"""HSSL's losses against the specification's formulas, written out with loops."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.errors import RequestError
from methods.hssl.losses import alike, contrastive, draw_places, local_contrastive, other_view
from methods.hssl.terms import FEATURES, Hierarchy, Terms, names_of
from methods.samora.image_level import contrastive as nt_xent

TAU = 0.1


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b / a.norm() / b.norm())


def by_hand(x: Tensor, positives: list[list[int]]) -> float:
    """-1/n sum_i 1/|P(i)| sum_p log exp(s(i, p)/tau) / sum_{j != i} exp(s(i, j)/tau)"""
    total = 0.0
    for i, mates in enumerate(positives):
        below = sum(math.exp(cosine(x[i], x[j]) / TAU) for j in range(len(x)) if j != i)
        for p in mates:
            total -= math.log(math.exp(cosine(x[i], x[p]) / TAU) / below) / len(mates)
    return total / len(x)


def test_the_image_term_is_nt_xent() -> None:
    x = torch.randn(10, 7, generator=torch.Generator().manual_seed(0))
    found = contrastive(x, other_view(5), temperature=TAU)
    assert float(found) == pytest.approx(by_hand(x, [[(i + 5) % 10] for i in range(10)]), abs=1e-5)
    assert float(found) == pytest.approx(float(nt_xent(x, temperature=TAU)), abs=1e-5)


def test_two_orthogonal_pairs() -> None:
    """By hand: one match of cosine 1, two others of cosine 0: log(1 + 2 exp(-1 / tau))."""
    x = torch.tensor([[1.0, 0], [0, 2], [3, 0], [0, 4]])
    found = contrastive(x, other_view(2), temperature=TAU)
    assert float(found) == pytest.approx(math.log(1 + 2 * math.exp(-10)), rel=1e-3)


def test_the_group_term_has_all_of_a_group_as_positives() -> None:
    x = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
    groups = torch.tensor([0, 1, 0, 0, 1, 0])
    mates = [[j for j in range(6) if j != i and groups[j] == groups[i]] for i in range(6)]
    found = contrastive(x, alike(groups), temperature=TAU)
    assert float(found) == pytest.approx(by_hand(x, mates), abs=1e-5)


def test_gradients_are_finite_and_reach_every_row() -> None:
    x = torch.randn(8, 4, requires_grad=True)
    contrastive(x, other_view(4), temperature=TAU).backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert x.grad.any(1).all()


def test_the_local_term_by_hand() -> None:
    generator = torch.Generator().manual_seed(2)
    one, other = (torch.randn(2, 3, 4, 4, generator=generator) for _ in range(2))
    places, negatives = draw_places(2, 16, places=5, negatives=2)
    total = 0.0
    for n in range(2):
        d = [one[n, :, r // 4, r % 4] for r in places[n].tolist()]
        e = [other[n, :, r // 4, r % 4] for r in places[n].tolist()]
        for r in range(5):
            above = math.exp(cosine(d[r], e[r]) / TAU)
            against = [math.exp(cosine(d[r], d[m]) / TAU) for m in negatives[n, r].tolist()]
            total -= math.log(above / (above + sum(against)))
    found = local_contrastive(one, other, places, negatives, temperature=TAU)
    assert float(found) == pytest.approx(total / 10, abs=1e-4)


@pytest.mark.parametrize(("cells", "places", "negatives"), [(16, 13, 5), (4, 13, 5), (64, 2, 1)])
def test_places_are_different_and_none_is_its_own_negative(
    cells: int, places: int, negatives: int
) -> None:
    chosen, against = draw_places(300, cells, places=places, negatives=negatives)
    taken = min(places, cells)
    assert chosen.shape == (300, taken)
    assert against.shape == (300, taken, min(negatives, taken - 1))
    for n in range(300):
        assert len(set(chosen[n].tolist())) == taken
        for r in range(taken):
            row = against[n, r].tolist()
            assert r not in row
            assert len(set(row)) == len(row)
    assert set(chosen.flatten().tolist()) == set(range(cells))


GROUPS = torch.tensor([0, 0, 1])
TASKS = torch.tensor([0, 1, 2, 2])
PARTS = torch.tensor([0, 0, 0, 3])


def value(hierarchy: Hierarchy, features: Tensor, parts: Tensor) -> float:
    with torch.no_grad():
        return float(hierarchy(features, TASKS, parts))


def alone(name: str, **changes: object) -> tuple[Hierarchy, Tensor]:
    torch.manual_seed(3)
    terms = Terms(frozenset({name}), **changes)  # type: ignore[arg-type]
    return Hierarchy(6, terms, GROUPS), torch.randn(8, 6)


def test_each_term_is_its_formula_on_its_own_head() -> None:
    both = TASKS.repeat(2)
    for name, positives in (
        ("image", [[(i + 4) % 8] for i in range(8)]),
        ("position", [[(i + 4) % 8] for i in range(8)]),  # no two slices share task and part
        (
            "group",
            [
                [j for j in range(8) if j != i and GROUPS[both[i]] == GROUPS[both[j]]]
                for i in range(8)
            ],
        ),
    ):
        hierarchy, features = alone(name)
        weight = 0.5 if name == "group" else 1.0
        x = hierarchy.heads[name](features).detach()
        assert x.shape == (8, FEATURES)
        expected = weight * by_hand(x, positives)
        assert value(hierarchy, features, PARTS) == pytest.approx(expected, abs=1e-4)
    for name, labels in (("task", both), ("group", GROUPS[both])):
        hierarchy, features = alone(name, grp_as="ce")
        scores = hierarchy.heads[name](features)
        assert scores.shape == (8, 3 if name == "task" else 2)
        expected = 0.5 * F.cross_entropy(scores, labels)
        assert torch.allclose(hierarchy(features, TASKS, PARTS), expected)


def test_slices_of_one_part_of_a_dataset_are_positions_positives() -> None:
    hierarchy, features = alone("position")
    x = hierarchy.heads["position"](features).detach()
    same = torch.tensor([1, 1, 1, 1])
    mates = [[j for j in range(8) if j != i and TASKS[j % 4] == TASKS[i % 4]] for i in range(8)]
    assert value(hierarchy, features, same) == pytest.approx(by_hand(x, mates), abs=1e-4)


def test_the_sum_has_the_specifications_weights() -> None:
    torch.manual_seed(4)
    features = torch.randn(8, 6)
    whole = Hierarchy(6, Terms(names_of("image+task+group")), GROUPS)
    values = []
    for name in ("image", "task", "group"):
        part = Hierarchy(6, Terms(frozenset({name})), GROUPS)
        part.heads[name].load_state_dict(whole.heads[name].state_dict())
        values.append(value(part, features, PARTS))
    assert value(whole, features, PARTS) == pytest.approx(sum(values), abs=1e-5)
    twice = Hierarchy(6, Terms(names_of("task"), task=1.0), GROUPS)
    twice.heads.load_state_dict({k: v for k, v in whole.heads.state_dict().items() if "task" in k})
    assert value(twice, features, PARTS) == pytest.approx(2 * values[1], abs=1e-5)


def test_image_and_group_have_heads_of_their_own() -> None:
    """The one pushes apart what the other pulls together."""
    heads = Hierarchy(6, Terms(names_of("image+task+group")), GROUPS).heads
    assert set(heads) == {"image", "task", "group"}
    owners = [id(p) for head in heads.values() for p in head.parameters()]
    assert len(owners) == len(set(owners))


def test_what_can_tell_nothing_is_left_out() -> None:
    whole = Terms(names_of("image+task+group"))
    assert whole.on(tasks=1, groups=1).names == {"image"}
    assert whole.on(tasks=2, groups=1).names == {"image", "task"}
    assert whole.on(tasks=3, groups=2).names == whole.names
    with pytest.raises(RequestError) as caught:
        Terms(names_of("task+group")).on(tasks=1, groups=1)
    assert str(caught.value) == (
        "method.terms=group+task: a pool of 1 dataset(s) in 1 group(s) leaves nothing to learn; "
        "add image, or more datasets to pool="
    )


def test_which_terms() -> None:
    assert names_of("none") == frozenset()
    assert names_of("group+image") == {"image", "group"}
    for wrong in ("imgae", "image+image", "image,task", "", "none+image"):
        with pytest.raises(RequestError) as caught:
            names_of(wrong)
        assert str(caught.value) == (
            f"method.terms={wrong}: join some of image, position, task, group with +, as in "
            "image+task+group, or give none"
        )
