"""Rule 6 of the protocol, case by case; another rule can be worked out from what it leaves."""

import math

import numpy as np
import pytest

from bench.errors import RequestError
from bench.score import CaseScore, Overlap, image_diagonal, score_case
from bench.score.empty import empty_kind

SPACING = (2.0, 0.5, 1.0)
SHAPE = (6, 8, 10)
DIAGONAL = math.sqrt((6 * 2.0) ** 2 + (8 * 0.5) ** 2 + 10**2)


def block() -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:3, 2:5, 3:7] = 1
    return mask


def test_both_empty_has_no_score() -> None:
    nothing = np.zeros(SHAPE, np.uint8)
    score = score_case(nothing, nothing, SPACING, ["a"])["a"]
    assert score == CaseScore(
        tp=0, fp=0, fn=0, dice=None, iou=None, hd95=None, assd=None, nsd=None, empty="both"
    )


def test_missed_costs_the_diagonal() -> None:
    score = score_case(np.zeros(SHAPE, np.uint8), block(), SPACING, ["a"])["a"]
    assert (score.tp, score.fp, score.fn) == (0, 0, 24)
    assert (score.dice, score.iou, score.nsd) == (0.0, 0.0, 0.0)
    assert score.hd95 == score.assd == pytest.approx(DIAGONAL)
    assert score.empty == "missed"


def test_false_positive_costs_the_diagonal() -> None:
    score = score_case(block(), np.zeros(SHAPE, np.uint8), SPACING, ["a"])["a"]
    assert (score.tp, score.fp, score.fn) == (0, 24, 0)
    assert (score.dice, score.iou, score.nsd) == (0.0, 0.0, 0.0)
    assert score.hd95 == score.assd == pytest.approx(DIAGONAL)
    assert score.empty == "false_positive"


def test_two_masks_that_never_meet_are_no_empty_case() -> None:
    score = score_case(block(), np.roll(block(), 3, axis=0), SPACING, ["a"])["a"]
    assert (score.dice, score.iou, score.empty) == (0.0, 0.0, None)
    assert score.hd95 == 6.0


def test_a_score_can_be_worse_than_missed_in_no_case() -> None:
    """Opposite corners of the image are the farthest apart two surfaces can be."""
    first, last = np.zeros((2, *SHAPE), np.uint8)
    first[0, 0, 0] = last[-1, -1, -1] = 1
    hd95 = score_case(first, last, SPACING, ["a"])["a"].hd95
    assert hd95 is not None
    assert hd95 <= DIAGONAL


def test_masking_can_leave_a_class_empty() -> None:
    """All reference voxels of `b` lie where nothing is labelled: then `b` is absent."""
    reference, prediction = block(), block() * 2
    reference[1:3] = 255
    scores = score_case(prediction, reference, SPACING, ["a", "b"])
    assert scores["a"].empty == scores["b"].empty == "both"


@pytest.mark.parametrize(
    ("overlap", "kind"),
    [
        (Overlap(0, 0, 0), "both"),
        (Overlap(0, 0, 3), "missed"),
        (Overlap(0, 3, 0), "false_positive"),
        (Overlap(0, 3, 3), None),
        (Overlap(1, 0, 0), None),
    ],
)
def test_empty_kind(overlap: Overlap, kind: str | None) -> None:
    assert empty_kind(overlap) == kind


def test_image_diagonal() -> None:
    assert image_diagonal((3, 4), (1.0, 1.0)) == 5.0
    assert image_diagonal((1, 2, 3), (2.0, 1.0, 1 / 3)) == pytest.approx(3.0)
    with pytest.raises(RequestError, match=r"spacing is .*: give 3 positive finite numbers in mm"):
        image_diagonal((1, 2, 3), (2.0, 0.5, -3.0))


def papers_rule(score: CaseScore) -> tuple[float | None, float | None]:
    """(Dice, Hausdorff) as the papers' published code counts a class: a prediction on an empty
    reference is perfect, so a missed organ costs no distance and one rightly left empty scores no
    Dice."""
    predicted, referenced = score.tp + score.fp, score.tp + score.fn
    if predicted and referenced:
        return score.dice, score.hd95
    return (1.0, 0.0) if predicted else (0.0, 0.0)


def test_the_papers_rule_can_be_recomputed_from_what_is_stored() -> None:
    nothing, moved = np.zeros(SHAPE, np.uint8), np.roll(block(), 1, axis=2)
    pairs = [(block(), moved), (block(), nothing), (nothing, block()), (nothing, nothing)]
    scores = [score_case(*pair, (1, 1, 1), ["a"])["a"] for pair in pairs]
    assert [papers_rule(score) for score in scores] == [
        (0.75, 1.0),
        (1.0, 0.0),
        (0.0, 0.0),
        (0.0, 0.0),
    ]
