"""Slices on a square canvas and back: geometry, padding, and what a round trip costs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bench.contract import Volume
from bench.data.slices import Canvas, highest, labelled_slices, long_side, volume_slices
from bench.protocol import UNLABELLED


def disc(height: int, width: int, *, radius: float = 0.3) -> np.ndarray:
    """(H, W) uint8: an ellipse of class 1 off the centre, a smaller one of class 2 within it."""
    y, x = np.mgrid[:height, :width]
    y, x = (y + 0.5) / height - 0.45, (x + 0.5) / width - 0.55
    label = (y**2 + x**2 < radius**2).astype(np.uint8)
    label[(y + 0.1) ** 2 + x**2 < (radius / 2) ** 2] = 2
    return label


def volume(label: np.ndarray, *, slices: tuple[int, ...] | None = None) -> Volume:
    """(D, H, W) labels, and an image that is their own number."""
    return Volume(
        case="c",
        patient="p",
        image=label.astype(np.float32),
        spacing=(1.0, 1.0, 1.0),
        label=label,
        labelled_slices=tuple(range(len(label))) if slices is None else slices,
    )


def one_hot(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """(N, s, s) -> (N, classes + 1, s, s); what is not labelled is background."""
    known = torch.where(labels == UNLABELLED, 0, labels).long()
    return F.one_hot(known, classes + 1).movedim(-1, 1).float()


def there_and_back(label: np.ndarray, size: int) -> np.ndarray:
    canvas = Canvas(size)
    on_canvas = canvas.labels(torch.from_numpy(label[None]))
    scores = canvas.scores_back(one_hot(on_canvas, 2), *label.shape)
    back: np.ndarray = scores.argmax(dim=1)[0].numpy()
    return back


def dice(one: np.ndarray, two: np.ndarray, value: int) -> float:
    a, b = one == value, two == value
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


@pytest.mark.parametrize(
    ("height", "width", "size", "inner"),
    [
        (64, 64, 128, (128, 128)),
        (64, 32, 128, (128, 64)),
        (32, 64, 128, (64, 128)),
        (320, 257, 128, (128, 103)),  # 257 * 128 / 320 = 102.8
        (7, 500, 64, (1, 64)),  # 0.896, at least one row
        (1, 1, 16, (16, 16)),
    ],
)
def test_the_long_side_fills_the_canvas(
    height: int, width: int, size: int, inner: tuple[int, int]
) -> None:
    assert Canvas(size).inner(height, width) == inner


@pytest.mark.parametrize("shape", [(96, 96), (128, 80), (61, 127), (512, 400), (97, 33)])
@pytest.mark.parametrize("size", [128, 256])
def test_a_label_map_survives_the_canvas(shape: tuple[int, int], size: int) -> None:
    label = disc(*shape)
    back = there_and_back(label, size)
    assert back.shape == shape
    # 512 pixels on 128 and back: a rim of up to two pixels in question
    floor = 0.97 if max(shape) <= 2 * size else 0.96
    assert dice(label, back, 1) > floor
    assert dice(label, back, 2) > floor


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(32, 32), (32, 21), (5, 32)])
def test_a_whole_factor_is_undone_exactly(factor: int, shape: tuple[int, int]) -> None:
    label = np.random.default_rng(factor).integers(0, 3, shape, dtype=np.uint8)
    assert np.array_equal(there_and_back(label, 32 * factor), label)


def test_whole_factors_by_hand() -> None:
    canvas = Canvas(4)
    label = torch.tensor([[[1, 2], [0, 1], [3, 3], [0, 2]]], dtype=torch.uint8)  # (1, 4, 2)
    u = UNLABELLED
    expected = [[1, 2, u, u], [0, 1, u, u], [3, 3, u, u], [0, 2, u, u]]
    assert canvas.labels(label)[0].tolist() == expected
    image = canvas.images(label.float())
    assert image.shape == (1, 1, 4, 4)
    assert torch.equal(image[0, 0, :, :2], label[0].float())
    assert (image[0, 0, :, 2:] == 0).all()
    wide = Canvas(4).labels(torch.tensor([[[1, 2]]], dtype=torch.uint8))
    assert wide[0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [u] * 4, [u] * 4]


def test_padding_is_not_labelled_and_black() -> None:
    canvas = Canvas(64)
    labels = canvas.labels(torch.ones(2, 30, 40, dtype=torch.uint8))
    images = canvas.images(torch.ones(2, 30, 40))
    rows, columns = canvas.inner(30, 40)
    assert (rows, columns) == (48, 64)
    assert (labels[:, :rows] == 1).all()
    assert (labels[:, rows:] == UNLABELLED).all()
    assert torch.allclose(images[:, 0, :rows], torch.ones(2, rows, columns))
    assert (images[:, 0, rows:] == 0).all()
    assert (labels.dtype, images.dtype) == (torch.uint8, torch.float32)


def test_labels_are_never_mixed() -> None:
    label = torch.from_numpy(disc(200, 170)[None] * 7)
    found = set(Canvas(96).labels(label).unique().tolist())
    assert found == {0, 7, 14, UNLABELLED}


def test_what_is_not_labelled_stays_so() -> None:
    label = torch.full((1, 20, 20), UNLABELLED, dtype=torch.uint8)
    assert (Canvas(33).labels(label) == UNLABELLED).all()


def test_image_and_label_lie_on_each_other() -> None:
    """The centre of a blob is at the same place of the canvas in both, and back on the grid."""
    for shape, size in (((150, 211), 128), ((40, 33), 128)):
        label = (disc(*shape) > 0).astype(np.uint8)
        canvas = Canvas(size)
        image = canvas.images(torch.from_numpy(label[None].astype(np.float32)))[0, 0].numpy()
        mask = (canvas.labels(torch.from_numpy(label[None]))[0] == 1).numpy()
        centres = [
            np.array([(a * weight).sum() / weight.sum() for a in np.indices(weight.shape)])
            for weight in (image, mask.astype(float), label.astype(float))
        ]
        assert np.abs(centres[0] - centres[1]).max() < 0.15
        scale = np.array(canvas.inner(*shape)) / np.array(shape)
        assert np.abs((centres[2] + 0.5) * scale - 0.5 - centres[0]).max() < 0.1


def test_scores_may_be_coarser_than_the_canvas() -> None:
    """A decoder at a quarter of the resolution: linear scores come back as they were."""
    canvas, height, width = Canvas(64), 64, 48
    ramp = torch.linspace(0, 1, 65)[:-1] + 1 / 128
    fine = ramp.view(1, 1, 64, 1).expand(1, 1, 64, 64)
    coarse = F.avg_pool2d(fine, 4)
    back = canvas.scores_back(coarse, height, width)
    assert back.shape == (1, 1, height, width)
    assert torch.allclose(back[..., 2:-2, :], fine[..., 2:-2, :48], atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "size", "coarse"),
    [
        ((512, 400), 512, 128),
        ((35, 50), 128, 64),
        ((61, 127), 128, 256),  # finer than the canvas
        ((7, 500), 64, 16),  # the slice is a quarter of a cell high
    ],
)
def test_scores_are_resized_once(shape: tuple[int, int], size: int, coarse: int) -> None:
    """Each pixel of the slice is looked up where it lies among the scores' own cells."""
    canvas = Canvas(size)
    scores = torch.randn(2, 3, coarse, coarse, generator=torch.Generator().manual_seed(0))
    axes = []
    for pixels, inner in zip(shape, canvas.inner(*shape), strict=True):
        cells = inner * coarse / size
        axes.append(((torch.arange(pixels) + 0.5) * cells / pixels, int(np.ceil(cells))))
    (rows, height), (columns, width) = axes
    y, x = torch.meshgrid(rows / height * 2 - 1, columns / width * 2 - 1, indexing="ij")
    expected = F.grid_sample(
        scores[..., :height, :width],
        torch.stack([x, y], dim=-1).expand(2, -1, -1, -1),
        padding_mode="border",
        align_corners=False,
    )
    found = canvas.scores_back(scores, *shape)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_scores_beyond_the_slice_are_cut_off() -> None:
    scores = torch.zeros(1, 1, 64, 64)
    scores[..., 48:, :] = 1e6  # in the padding
    back = Canvas(64).scores_back(scores, 30, 40)
    assert (back == 0).all()


@pytest.mark.parametrize("classes", [1, 2, 9])
def test_the_highest_score_is_the_class(classes: int) -> None:
    """As numpy's argmax finds it, which takes the first of equals; coarse scores have many."""
    scores = np.random.default_rng(0).integers(0, 4, (3, classes, 17, 19)).astype(np.float32)
    found = highest(torch.from_numpy(scores))
    assert found.dtype == torch.uint8
    assert np.array_equal(found.numpy(), scores.argmax(axis=1))


def test_every_labelled_slice_of_the_support() -> None:
    first = volume(np.stack([disc(20, 30), np.zeros((20, 30), np.uint8), disc(20, 30)]))
    stack = np.full((4, 16, 16), UNLABELLED, np.uint8)
    stack[2] = disc(16, 16)
    second = volume(stack, slices=(2,))
    data = labelled_slices([first, second], Canvas(32))
    assert len(data) == 4
    assert (data.images.shape, data.labels.shape) == ((4, 1, 32, 32), (4, 32, 32))
    assert [bool((label == 1).any()) for label in data.labels] == [True, False, True, True]
    assert (data.labels[3] != UNLABELLED).all()
    # an image is its label's own number here: the third slice's image goes with its label
    brightest = data.images[3, 0] == data.images[3].max()
    assert (data.labels[3][brightest] == 2).all()


def test_all_slices_of_a_volume() -> None:
    image = np.linspace(0, 1, 6 * 10 * 12, dtype=np.float16).reshape(6, 10, 12)
    whole = Volume("c", "p", image, (1.0, 1.0, 1.0))
    stack = volume_slices(whole, Canvas(24))
    assert (stack.shape, stack.dtype) == ((6, 1, 24, 24), torch.float32)
    means = stack[:, 0, :20].mean(dim=(1, 2))
    assert (means.diff() > 0).all()


def test_long_side() -> None:
    sides = [(10, 30), (50, 20), (40, 40)]
    assert long_side([volume(np.zeros((2, *side), np.uint8)) for side in sides]) == 40
    assert long_side([volume(np.zeros((90, 8, 9), np.uint8))]) == 9
