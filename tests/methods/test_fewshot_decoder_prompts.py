"""Who prompts for whom: never a slice for itself."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from methods.fewshot_decoder.lessons import Lessons, gathered, shots_of
from methods.fewshot_decoder.prompts import (
    PromptRule,
    Shot,
    padded,
    shots_from,
    shots_state,
    some,
)
from methods.fewshot_decoder.targets import Target
from tests.methods.fewshot_tiny import slice_of, target

RULE = PromptRule(mode="pool", cells=3, retrieve_k=0, leave_out="slice")
SLICES = [
    slice_of(1.0, (1,)),
    slice_of(2.0, (1, 2)),
    slice_of(3.0, (1,), patient="q"),
    slice_of(4.0, ()),
]


def lessons(rule: PromptRule = RULE, *, slices=SLICES, share=0.5, dropout=False) -> Lessons:  # type: ignore[no-untyped-def]
    return Lessons(slices, shots_of(slices, 3), rule, absent_share=share, dropout=dropout)


def rule(**changes: object) -> PromptRule:
    return PromptRule(**{**vars(RULE), **changes})  # type: ignore[arg-type]


def tokens_of(found: Target) -> list[float]:
    return sorted(round(value, 3) for value in found.tokens[:, 0].tolist())


def test_what_is_taught() -> None:
    """Every class of every slice, and half as many that a slice does not show. Class 3 is shown by
    none."""
    made = lessons()
    assert made.shown == [(0, 1), (1, 1), (1, 2), (2, 1)]
    assert made.absent == [(0, 2), (2, 2), (3, 1), (3, 2)]
    assert len(made) == 4 + 2
    assert set(made.shots) == {1, 2}


@pytest.mark.parametrize("view", [0, 1, 2])
def test_a_slices_own_tokens_are_left_out(view: int) -> None:
    made = lessons()
    for place, expected in ((0, [2, 3]), (1, [1, 3]), (2, [1, 2]), (3, [1, 2, 3])):
        assert tokens_of(made.prompt(place, 1, SLICES[place].views[view])) == expected


def test_a_whole_patient_is_left_out_if_wanted() -> None:
    made = lessons(rule(leave_out="patient"))
    assert tokens_of(made.prompt(0, 1, SLICES[0].views[0])) == [3]
    assert tokens_of(made.prompt(2, 1, SLICES[2].views[0])) == [1, 2]
    alone = lessons(rule(leave_out="patient"), slices=SLICES[:2])  # no other patient
    assert tokens_of(alone.prompt(0, 1, SLICES[0].views[0])) == [2]


@pytest.mark.parametrize(("view", "expected"), [(0, [2.1, 2.2]), (1, [2, 2.2]), (2, [2, 2.1])])
def test_a_class_of_one_slice_is_taught_by_its_copies(view: int, expected: list[float]) -> None:
    """Never by the view that is asked for."""
    assert tokens_of(lessons().prompt(1, 2, SLICES[1].views[view])) == expected


def test_a_class_of_one_slice_without_a_copy_is_not_taught() -> None:
    slices = [slice_of(1.0, (1,), views=1), slice_of(2.0, (1, 2), views=1)]
    assert lessons(slices=slices).shown == [(0, 1), (1, 1)]


def test_a_copy_that_lost_the_structure_prompts_for_no_other() -> None:
    one = slice_of(1.0, (1,), views=3)
    one.views[1].targets.clear()
    one.views[2].targets.clear()
    made = lessons(slices=[one])
    # Asked in the view that holds the only target, it would have none left: it is not asked.
    assert made._views(0, 1) == one.views[1:]
    assert tokens_of(made.prompt(0, 1, one.views[1])) == [1]


def test_token_dropout_keeps_any_number_but_none() -> None:
    torch.manual_seed(0)
    made = lessons(dropout=True)
    seen = [tuple(tokens_of(made.prompt(3, 1, SLICES[3].views[0]))) for _ in range(300)]
    assert set(seen) == {(1,), (2,), (3,), (1, 2), (1, 3), (2, 3), (1, 2, 3)}
    sizes = Counter(len(tokens) for tokens in seen)
    assert min(sizes.values()) > 70  # each number of slices about a third of the time
    assert len(some([1.0])) == 1  # type: ignore[list-item]


def shots(*names: float) -> list[Shot]:
    return shots_of([slice_of(name, (1,)) for name in names], 1)[1]


def test_the_most_similar_slices() -> None:
    """Descriptors are angles here: of 0.1, 0.5, 0.9 and 2, those next to 0.6 are 0.5 and 0.9."""
    query = torch.tensor([0.6]).cos(), torch.tensor([0.6]).sin()
    near = rule(retrieve_k=2).nearest(shots(0.1, 0.5, 0.9, 2.0), torch.cat(query))
    assert [shot.slice for shot in near] == [1, 2]
    assert len(rule(retrieve_k=9).nearest(shots(0.1, 0.5), torch.cat(query))) == 2
    assert len(rule(retrieve_k=0).nearest(shots(0.1, 0.5), torch.cat(query))) == 2


def test_a_query_retrieves_among_the_others() -> None:
    made = lessons(rule(retrieve_k=1))
    assert tokens_of(made.prompt(1, 1, SLICES[1].views[0])) in ([1], [3])
    assert tokens_of(made.prompt(0, 1, SLICES[0].views[0])) == [2]


def test_one_prototype_is_the_mean_over_slices() -> None:
    found = rule(mode="proto").tokens(shots(1.0, 2.0, 6.0))
    assert found.tokens.tolist() == [[3.0, 3.0]]
    assert len(found.kinds) == 1


def test_cells_are_drawn_anew_while_training_and_fixed_afterwards() -> None:
    many = Target(torch.arange(10.0)[:, None].expand(10, 2), torch.zeros(10, dtype=torch.long))
    shot = [Shot(0, "p", torch.ones(2), many)]
    cells = rule(mode="cells", cells=3)
    torch.manual_seed(0)
    drawn = {tuple(tokens_of(cells.tokens(shot, random=True))) for _ in range(20)}
    assert len(drawn) > 10
    assert all(len(set(tokens)) == 3 for tokens in drawn)
    assert tokens_of(cells.tokens(shot)) == [0, 4, 9]
    assert len(rule(mode="cells", cells=30).tokens(shot).kinds) == 10


def test_rows_of_different_lengths_are_padded() -> None:
    tokens, kinds = padded([target(1.0), target(2.0, count=3)])
    assert kinds.tolist() == [[0, -1, -1], [0, 0, 0]]
    assert tokens[:, :, 0].tolist() == [[1, 0, 0], [2, 2, 2]]


def test_a_batch_holds_what_belongs_together() -> None:
    torch.manual_seed(0)
    made = lessons()
    embeddings, labels, classes, tokens, kinds = gathered(made.choose(torch.tensor([0, 2, 5])))
    assert embeddings.shape == (3, 2, 4, 4)
    assert classes[:2].tolist() == [0, 1]
    assert 1.0 <= float(embeddings[0, 0, 0, 0]) < 1.3
    assert labels[0].sum() == 8  # a row of the class
    assert (labels[0, 1] == 1).all()
    assert labels[1].sum() == 8
    assert (labels[1, 2] == 1).all()
    assert labels[2].sum() == 0  # one that is not shown
    assert (kinds[0] >= 0).sum() == 2
    assert tokens.shape[:2] == kinds.shape


def test_unlabelled_pixels_stay_so() -> None:
    one = slice_of(1.0, (1,), views=1)
    one.views[0].labels[5] = 255
    other = slice_of(2.0, (1,), views=1)
    chosen = lessons(slices=[one, other]).choose(torch.tensor([0]))
    _, labels, *_ = gathered(chosen)
    assert (labels[0, 5] == 255).all()


def test_shots_come_back_from_a_state() -> None:
    given = {1: shots(1.0, 2.0), 3: shots(5.0)}
    back = shots_from(shots_state(given, RULE))
    assert list(back) == [1, 3]
    assert [tokens_of(shot.target) for shot in back[1]] == [[1], [2]]
    assert torch.equal(back[3][0].descriptor, given[3][0].descriptor)
    assert shots_from({}) == {}
