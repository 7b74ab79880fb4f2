"""Surface elements: areas by hand, and code by code against MONAI's table."""

import math

import numpy as np
import pytest

from bench.score.surface import element_areas, is_surface, neighbourhood_codes


def total(mask: np.ndarray, spacing: tuple[float, ...]) -> float:
    codes = neighbourhood_codes(mask.astype(bool))
    return float(element_areas(spacing)[codes[is_surface(codes)]].sum())


@pytest.mark.parametrize("spacing", [(1, 1, 1), (3, 1, 0.7), (0.5, 2, 5)])
def test_areas_equal_monai_for_all_256_codes(spacing: tuple[float, ...]) -> None:
    from monai.metrics.utils import create_table_neighbour_code_to_surface_area

    table, kernel = create_table_neighbour_code_to_surface_area(spacing)
    assert kernel.flatten().tolist() == [128, 64, 32, 16, 8, 4, 2, 1]
    np.testing.assert_allclose(element_areas(spacing), table.numpy(), rtol=1e-6)


@pytest.mark.parametrize("spacing", [(1, 1), (3, 0.7)])
def test_lengths_equal_monai_for_all_16_codes(spacing: tuple[float, ...]) -> None:
    from monai.metrics.utils import create_table_neighbour_code_to_contour_length

    table, _ = create_table_neighbour_code_to_contour_length(spacing)
    np.testing.assert_allclose(element_areas(spacing), table.numpy(), rtol=1e-6)


@pytest.mark.parametrize("dims", [2, 3])
def test_inside_and_outside_share_one_surface(dims: int) -> None:
    areas = element_areas((1.3, 0.4, 2.0)[:dims])
    np.testing.assert_allclose(areas, areas[::-1], rtol=1e-12)
    assert areas[0] == areas[-1] == 0
    assert (areas[1:-1] > 0).all()


@pytest.mark.parametrize("size", [1, 2, 7])
def test_cube_has_flat_faces_cut_edges_and_cut_corners(size: int) -> None:
    side = size - 1
    expected = 6 * side**2 + 12 * side * math.sqrt(0.5) + 8 * math.sqrt(3) / 8
    assert total(np.ones((size,) * 3), (1, 1, 1)) == pytest.approx(expected)


def test_box_faces_scale_with_the_spacing() -> None:
    """A big box: its six faces alone, up to the cut edges."""
    faces = 2 * (40 * 2.0 * 50 * 0.5 + 40 * 2.0 * 60 * 1.5 + 50 * 0.5 * 60 * 1.5)
    assert total(np.ones((40, 50, 60)), (2.0, 0.5, 1.5)) == pytest.approx(faces, rel=0.03)


def test_square_has_straight_sides_and_cut_corners() -> None:
    expected = 2 * 4 * 3.0 + 2 * 6 * 0.5 + 4 * 0.5 * math.hypot(3.0, 0.5)
    assert total(np.ones((5, 7)), (3.0, 0.5)) == pytest.approx(expected)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (2, 1, 1)])
def test_ball_area_is_near_the_closed_form(ball, spacing: tuple[float, ...]) -> None:
    """Blocks of voxels are rougher than a ball: too much area, by less than an eighth."""
    shape = tuple(int(44 / s) for s in spacing)
    mask = ball(shape, tuple(n / 2 for n in shape), 18.0, spacing)
    area = 4 * math.pi * 18.0**2
    assert area < total(mask, spacing) < 1.125 * area


def test_codes_name_the_corner_that_is_inside() -> None:
    mask = np.zeros((3, 3, 3), bool)
    mask[1, 1, 1] = True
    codes = neighbourhood_codes(mask)
    assert codes.shape == (4, 4, 4)
    assert codes[1:3, 1:3, 1:3].ravel().tolist() == [1, 2, 4, 8, 16, 32, 64, 128]
    assert np.count_nonzero(codes) == 8


def test_the_border_of_the_image_is_a_surface() -> None:
    full = np.ones((2, 3, 4), bool)
    codes = neighbourhood_codes(full)
    expected = np.ones((3, 4, 5), bool)
    expected[1:-1, 1:-1, 1:-1] = False
    np.testing.assert_array_equal(is_surface(codes), expected)
    assert (neighbourhood_codes(np.pad(full, 2))[2:-2, 2:-2, 2:-2] == codes).all()
