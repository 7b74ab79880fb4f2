"""Drawn slices: the same from a seed, objects where the labels say, changes that are smooth."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from bench.models.nano.drawing.episodes import draw_episodes
from bench.models.nano.drawing.fields import blurred
from bench.models.nano.drawing.look import random_looks, shown
from bench.models.nano.drawing.raster import label_maps
from bench.models.nano.drawing.scene import BLOB, SLOTS, Scene, another_patient, random_scenes
from bench.models.nano.drawing.targets import (
    label_sets,
    masks_of,
    random_objects,
    visible_slots,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def drawn() -> tuple[Scene, torch.Tensor, torch.Tensor]:
    """48 scenes, their label maps and their images at 128 px."""
    g = seeded(11)
    scene = random_scenes(48, g)
    label = label_maps(scene, torch.zeros(48), 128)
    return scene, label, shown(label, random_looks(scene, g), g)


def lone_ellipse(radius: tuple[float, float]) -> Scene:
    """One scene with one smooth ellipsoid in the middle, no camera movement, no warp."""
    scene = random_scenes(1, seeded())
    zero = {name: torch.zeros_like(getattr(scene, name)) for name in ("centre", "bump", "drift")}
    zero |= {name: torch.zeros_like(getattr(scene, name)) for name in ("angle", "middle", "warp")}
    alive = torch.zeros_like(scene.alive)
    alive[0, 5] = True
    return replace(
        scene,
        **zero,
        warp_drift=torch.zeros_like(scene.warp_drift),
        alive=alive,
        kind=torch.full_like(scene.kind, BLOB),
        parent=torch.full_like(scene.parent, -1),
        radius=torch.tensor(radius).expand(1, SLOTS, 2).clone(),
        height=torch.ones_like(scene.height),
        view=torch.tensor([[1.0, 0.0, 0.0, 0.0]]),
    )


def test_ellipse_has_its_analytic_area() -> None:
    scene = lone_ellipse((0.5, 0.3))
    label = label_maps(scene, torch.zeros(1), 256)
    pixels = math.pi * 0.5 * 0.3 * (256 / 2) ** 2
    assert set(label.unique().tolist()) == {0, 6}
    assert int((label == 6).sum()) == pytest.approx(pixels, rel=0.005)


def test_section_shrinks_as_an_ellipsoid_does() -> None:
    scene = lone_ellipse((0.5, 0.5))
    area = [int((label_maps(scene, torch.tensor([z]), 256) > 0).sum()) for z in (0.0, 0.6, 1.01)]
    assert area[1] / area[0] == pytest.approx(1 - 0.6**2, rel=0.02)
    assert area[2] == 0


def test_same_seed_same_drawing_and_another_seed_another() -> None:
    def one(seed: int) -> torch.Tensor:
        return draw_episodes(2, 2, 2, 64, seeded(seed)).images

    assert torch.equal(one(5), one(5))
    assert not torch.equal(one(5), one(6))


def test_a_scene_does_not_depend_on_its_neighbours_in_the_batch(drawn) -> None:
    scene, label, _ = drawn
    some = torch.tensor([40, 3])
    assert torch.equal(label_maps(scene.take(some), torch.zeros(2), 128), label[some])


def test_images_fill_the_unit_interval_and_vary(drawn) -> None:
    _, _, image = drawn
    assert image.shape == (48, 1, 128, 128)
    assert torch.isfinite(image).all()
    assert image.min() >= 0
    assert image.max() <= 1
    assert (image.flatten(1).amax(dim=1) > 0.9).all()
    means = image.flatten(1).mean(dim=1)
    assert means.std() > 0.1  # bright and dark scenes


def test_scenes_hold_several_objects_and_some_touch_the_border(drawn) -> None:
    _, label, _ = drawn
    seen = visible_slots(label, SLOTS, 24)
    assert seen.sum(dim=1).float().mean() > 4
    frame = torch.cat([label[:, 0], label[:, -1], label[:, :, 0], label[:, :, -1]], dim=1)
    assert 0.2 < (frame > 0).any(dim=1).float().mean() < 0.9


def test_a_child_lies_inside_its_parent(drawn) -> None:
    scene, _, _ = drawn
    alone = replace(scene, alive=torch.zeros_like(scene.alive))
    checked = 0
    for child in range(9, 14):
        parent = scene.parent[:, child]
        rows = (scene.alive[:, child] & (parent >= 0)).nonzero().flatten()
        for n in rows[:6].tolist():
            one = alone.take(torch.tensor([n]))
            # The parent may itself have a parent: draw the whole chain, then compare.
            chain, at = [child], int(parent[n])
            while at >= 0:
                chain.append(at)
                at = int(scene.parent[n, at])
            alive = torch.zeros_like(one.alive)
            alive[0, chain] = True
            with_child = label_maps(replace(one, alive=alive), torch.zeros(1), 128)
            alive[0, child] = False
            without = label_maps(replace(one, alive=alive), torch.zeros(1), 128)
            inside = with_child == child + 1
            assert (without[inside] == chain[1] + 1).all()
            checked += int(inside.any())
    assert checked > 5


def test_parts_follow_the_chain_of_parents() -> None:
    scene = random_scenes(1, seeded())
    parent = torch.full((1, SLOTS), -1)
    parent[0, 9], parent[0, 10] = 4, 9
    inside = replace(scene, parent=parent).parts()[0]
    assert inside[4].nonzero().flatten().tolist() == [4, 9, 10]
    assert inside[9].nonzero().flatten().tolist() == [9, 10]
    assert inside[10].nonzero().flatten().tolist() == [10]


def test_whole_objects_contain_their_parts_and_masks_follow_labels() -> None:
    scene = random_scenes(2, seeded())
    parent = torch.full((2, SLOTS), -1)
    parent[:, 9] = 4
    scene = replace(scene, parent=parent)
    sets = label_sets(scene, torch.tensor([4, 4]), torch.tensor([False, True]))
    assert sets.nonzero().tolist() == [[0, 5], [1, 5], [1, 10]]
    label = torch.tensor([[[0, 5], [10, 5]]] * 2, dtype=torch.uint8)
    assert masks_of(label, sets).int().tolist() == [[[0, 1], [0, 1]], [[0, 1], [1, 1]]]


def test_objects_are_visible_and_a_bare_slice_gives_its_background(drawn) -> None:
    scene, label, _ = drawn
    image, mask = random_objects(scene, label, 3, seeded())
    assert image.tolist() == [n for n in range(48) for _ in range(3)]
    assert (mask.flatten(1).sum(dim=1) >= 8).all()
    bare = torch.zeros_like(label)
    assert random_objects(scene, bare, 1, seeded())[1].all()


def test_neighbouring_slices_change_little_and_distant_ones_more(drawn) -> None:
    scene, label, _ = drawn
    near = (label_maps(scene, torch.full((48,), 0.03), 128) != label).float().mean()
    far = (label_maps(scene, torch.full((48,), 0.6), 128) != label).float().mean()
    assert 0 < near < 0.05
    assert far > 4 * near


def test_another_patient_differs_a_little_and_not_at_all_at_amount_zero(drawn) -> None:
    scene, label, _ = drawn
    same = label_maps(another_patient(scene, 0.0, seeded()), torch.zeros(48), 128)
    assert torch.equal(same, label)
    other = label_maps(another_patient(scene, 1.0, seeded()), torch.zeros(48), 128)
    assert 0.02 < (other != label).float().mean() < 0.4


def test_episodes_show_the_object_in_a_support_and_lack_it_in_some_queries() -> None:
    drawn = draw_episodes(24, 3, 2, 64, seeded(1))
    assert drawn.images.shape == (24, 4, 1, 64, 64)
    assert drawn.masks.shape == (24, 2, 4, 64, 64)
    shown_somewhere = drawn.masks[:, :, :-1].flatten(2).any(dim=2)
    assert shown_somewhere.float().mean() > 0.95
    absent = ~drawn.masks[:, :, -1].flatten(2).any(dim=2)
    assert 0.02 < absent.float().mean() < 0.5


def test_blur_is_a_gaussian_and_keeps_the_sum() -> None:
    image = torch.zeros(1, 33, 33)
    image[0, 16, 16] = 1.0
    soft = blurred(image, torch.tensor([1.2]))
    assert float(soft.sum()) == pytest.approx(1.0, abs=1e-4)
    ratio = float(soft[0, 16, 17] / soft[0, 16, 16])
    assert ratio == pytest.approx(math.exp(-0.5 / 1.2**2), rel=1e-4)
