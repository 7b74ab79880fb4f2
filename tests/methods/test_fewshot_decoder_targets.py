"""Target embeddings on grids that can be counted by hand."""

from __future__ import annotations

import pytest
import torch

from methods.fewshot_decoder.crop import crops
from methods.fewshot_decoder.targets import (
    RING,
    TARGET,
    cells_of,
    centroids,
    class_share,
    operator,
    pooled,
    ring_share,
)


def numbered(side: int = 4) -> torch.Tensor:
    """(2, side, side): channel 0 is the cell's number, channel 1 its square."""
    number = torch.arange(side * side, dtype=torch.float32).view(side, side)
    return torch.stack([number, number**2])


def test_the_share_of_a_class_is_an_area() -> None:
    """2 x 2 pixels a cell: three of them class 1, one unlabelled, count 3/4."""
    labels = torch.tensor([[1, 1, 0, 0], [1, 255, 0, 2], [0, 0, 2, 2], [0, 0, 2, 2]])[None]
    assert torch.equal(class_share(labels, 1, (2, 2))[0], torch.tensor([[0.75, 0], [0, 0]]))
    assert torch.equal(class_share(labels, 2, (2, 2))[0], torch.tensor([[0, 0.25], [0, 1.0]]))


def test_pooling_is_the_weighted_mean() -> None:
    share = torch.zeros(4, 4)
    share[0, 1], share[2, 3] = 1.0, 0.5  # cells 1 and 11
    expected = torch.tensor([(1 + 0.5 * 11) / 1.5, (1 + 0.5 * 121) / 1.5])
    torch.testing.assert_close(pooled(numbered(), share), expected)


def test_a_structure_smaller_than_a_thousandth_of_a_cell_is_its_largest_cell() -> None:
    share = torch.zeros(4, 4)
    share[0, 1], share[2, 3] = 2e-4, 3e-4
    assert torch.equal(pooled(numbered(), share), torch.tensor([11.0, 121.0]))


def test_the_cells_of_a_class() -> None:
    share = torch.zeros(4, 4)
    share[0, :3] = torch.tensor([0.2, 0.5, 0.9])
    assert cells_of(numbered(), share)[:, 0].tolist() == [1, 2]
    share[0, 1:3] = 0.1
    assert cells_of(numbered(), share)[:, 0].tolist() == [0]  # the one with most of it


def test_centroids_of_three_clouds() -> None:
    generator = torch.Generator().manual_seed(0)
    middle = torch.tensor([[0.0, 0], [10, 0], [0, 10]])
    cloud = middle.repeat_interleave(20, dim=0) + torch.rand(60, 2, generator=generator) - 0.5
    found = centroids(cloud, 3)
    expected = cloud.view(3, 20, 2).mean(dim=1)
    nearest = torch.cdist(found, expected)
    assert sorted(nearest.argmin(dim=1).tolist()) == [0, 1, 2]
    assert nearest.min(dim=1).values.max() < 1e-5
    shuffled = cloud[torch.randperm(60, generator=generator)]
    assert torch.cdist(centroids(shuffled, 3), found).min(dim=1).values.max() < 1e-5


def test_fewer_cells_than_centroids() -> None:
    cells = torch.tensor([[1.0, 2], [3, 4], [5, 6]])
    assert torch.equal(centroids(cells, 4), cells)
    same = torch.ones(5, 2)
    assert torch.equal(centroids(same, 4), same[:1])
    two = torch.tensor([[1.0, 1], [1, 1], [2, 2]])
    assert sorted(centroids(two, 3)[:, 0].tolist()) == [1, 2]


def test_the_ring_is_near_free_of_the_class_and_labelled() -> None:
    labels = torch.zeros(1, 5, 5, dtype=torch.long)
    labels[0, 2, 2] = 1
    labels[0, 1, 1] = 255
    share = class_share(labels, 1, (5, 5))
    ring = ring_share(share, labels, reach=1)[0]
    expected = torch.zeros(5, 5)
    expected[1:4, 1:4] = 1
    expected[2, 2] = expected[1, 1] = 0
    assert torch.equal(ring, expected)
    assert ring_share(share, labels, reach=2).sum() == 23


@pytest.mark.parametrize(
    ("mode", "count"), [("pool", 1), ("proto", 1), ("crop", 1), ("kmeans", 2), ("cells", 3)]
)
def test_how_many_tokens_a_slice_gives(mode: str, count: int) -> None:
    share = torch.zeros(4, 4)
    share[1, :3] = 1
    found = operator(mode, clusters=2)(numbered(), share, torch.zeros(4, 4))
    assert found.tokens.shape == (count, 2)
    assert found.kinds.tolist() == [TARGET] * count


def test_pool_bg_adds_the_ring_where_there_is_one() -> None:
    share, ring = torch.zeros(4, 4), torch.zeros(4, 4)
    share[0, 0], ring[0, 1:3] = 1, 1
    make = operator("pool_bg", clusters=4)
    found = make(numbered(), share, ring)
    assert found.kinds.tolist() == [TARGET, RING]
    assert found.tokens[:, 0].tolist() == [0, 1.5]
    assert make(numbered(), share, torch.zeros(4, 4)).kinds.tolist() == [TARGET]


def test_a_crop_is_the_smallest_square_with_a_margin() -> None:
    """A structure of 4 x 2 pixels at rows 2 to 5: with a quarter on each side, 6 x 6 pixels."""
    labels = torch.zeros(1, 16, 16, dtype=torch.uint8)
    labels[0, 2:6, 7:9] = 3
    labels[0, 9, 9] = 1
    images = torch.arange(256, dtype=torch.float32).view(1, 1, 16, 16)
    cut, truth = crops(images, labels, 3, margin=0.25)
    assert cut.shape == images.shape
    assert truth.dtype == torch.uint8
    expected = torch.nn.functional.interpolate(
        images[:, :, 1:7, 5:11], size=(16, 16), mode="bilinear", align_corners=False
    )
    assert torch.equal(cut, expected)
    assert set(truth.unique().tolist()) == {0, 3}
    share = (truth == 3).float().mean()
    assert share == pytest.approx(8 / 36, abs=0.05)


def test_a_crop_stays_on_the_canvas() -> None:
    labels = torch.zeros(1, 8, 8, dtype=torch.uint8)
    labels[0, 0, 6:8] = 1
    images = torch.rand(1, 1, 8, 8)
    cut, _ = crops(images, labels, 1, margin=0.5)  # 4 x 4 pixels in the corner
    expected = torch.nn.functional.interpolate(
        images[:, :, :4, 4:], size=(8, 8), mode="bilinear", align_corners=False
    )
    assert torch.equal(cut, expected)
    labels[:] = 1
    assert torch.equal(crops(images, labels, 1, margin=0.5)[0], images)
