"""The phantom: the same everywhere, plausible, and hard in the ways that it promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from scipy.interpolate import BSpline

from bench.contract import Dataset, Source
from bench.data.prepare import prepare
from bench.data.store import Store
from bench.errors import DataError
from bench.registry import discover, load
from datasets.phantom import anatomy, scanner
from datasets.phantom.dataset import Phantom
from datasets.phantom.draw import Patient, draw_patient, site_of
from datasets.phantom.shapes import Grid, blur, ellipsoid, inside, smooth
from datasets.phantom.stream import Stream

FINGERPRINT = "5db92690b41342b4ae22674b39a953947877d87c1e6850b5a2b147b3b5f1da27"
"""Of the whole prepared set. Seen on numpy 1.26.4 and 2.4.6, with and without AVX2 and AVX512."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("phantom") / "store"
    return prepare(Phantom(None, None), name="phantom", folder=folder, classes=["organ", "nodule"])


@pytest.fixture(scope="module")
def patients() -> list[Patient]:
    return [draw_patient(number) for number in range(9)]


def test_its_card_is_what_it_makes(store: Store) -> None:
    found = discover().datasets["phantom"]
    assert found.problem is None
    assert load(found) is Phantom
    card = discover().dataset("phantom")[1]
    copy = Phantom(None, None).find()
    assert isinstance(Phantom(None, None), Dataset)
    assert card.cases == len(copy.sources) == len(store.cases) == 30
    assert card.layouts == {copy.layout: ""}
    assert card.official == copy.layout
    assert tuple(card.classes or ()) == store.manifest.classes
    assert [s.patient for s in copy.sources] == [f"patient{n:02d}" for n in range(1, 31)]
    assert all(s.case == s.patient and s.files == () for s in copy.sources)


def test_every_voxel_is_the_committed_one(store: Store) -> None:
    assert store.manifest.fingerprint == FINGERPRINT


def test_the_processor_makes_no_difference(store: Store) -> None:
    """The same patient without any of the vector units that numpy finds here."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    code = (
        "import hashlib; from datasets.phantom.draw import draw_patient as draw; p = draw(4); "
        "print(hashlib.sha256(p.image.tobytes() + p.label.tobytes()).hexdigest())"
    )
    plain, slow = (
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).resolve().parents[2],
            env={**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(names)},
            capture_output=True,
            text=True,
        ).stdout
        for names in ([], found)
    )
    assert plain == slow != ""


def test_sites_take_turns(store: Store) -> None:
    sites = [case.site for case in store.manifest.cases]
    assert sites == ["north", "east", "south"] * 10


def test_volumes_are_small_anisotropic_and_differ(store: Store) -> None:
    cases = store.manifest.cases
    assert {case.dtype for case in cases} == {"float16"}
    assert all(20 <= case.shape[0] <= 28 for case in cases)
    assert all(68 <= case.shape[1] == case.shape[2] <= 108 for case in cases)
    assert len({case.shape for case in cases}) > 15
    assert len({case.spacing for case in cases}) > 25
    assert all(5.0 <= case.spacing[0] <= 6.5 for case in cases)
    assert all(2.2 <= case.spacing[1] == case.spacing[2] <= 2.9 for case in cases)
    assert store.manifest.spacing == "file"


def test_the_nodule_is_absent_in_some(store: Store) -> None:
    with_nodule = [case for case in store.manifest.cases if case.classes == ("organ", "nodule")]
    without = [case for case in store.manifest.cases if case.classes == ("organ",)]
    assert (len(with_nodule), len(without)) == (21, 9)
    for site in scanner.SITES:
        assert {site.name} < {case.site for case in with_nodule} & {c.site for c in without}


def test_the_organ_is_one_piece_and_never_leaves_the_picture(store: Store) -> None:
    for case in store.cases:
        label = store.volume(case, with_label=True).label
        assert label is not None
        body, pieces = ndimage.label(label > 0)
        largest = np.bincount(body.ravel())[1:].max()
        assert largest > 0.97 * (label > 0).sum(), f"{case}: {pieces} pieces"
        border = np.ones(label.shape, bool)
        border[:, 1:-1, 1:-1] = False
        assert not label[border].any()
        assert 0.005 < (label > 0).mean() < 0.08


def test_the_nodule_lies_in_the_organ(store: Store) -> None:
    for case in store.manifest.cases:
        label = np.array(store.volume(case.case, with_label=True).label)
        if "nodule" in case.classes:
            nodule = label == anatomy.NODULE
            rim = ndimage.binary_dilation(nodule) & ~nodule
            assert (label[rim] == anatomy.ORGAN).mean() > 0.6
            assert 50 < nodule.sum() < 0.5 * (label == anatomy.ORGAN).sum()


def blank_canvas(number: int) -> anatomy.Canvas:
    grid = Grid.of((24, 88, 88), (5.8, 2.5, 2.5))
    flat = np.zeros(grid.shape)
    return anatomy.Canvas(
        stream=Stream(7, number),
        trunk=grid,
        fine=grid,
        grain=flat,
        lumps=flat,
        image=flat,
        label=np.zeros(grid.shape, np.uint8),
        cavity=flat - 50,
        fat=0.0,
    )


@pytest.mark.parametrize("number", range(6))
def test_a_ball_as_bright_as_the_nodule_is_no_nodule(number: int) -> None:
    """The organ painted alone: the nodule's brightness also occurs far from the label."""
    canvas = blank_canvas(number)
    anatomy.organ(canvas, 100.0, 1.0)
    far = ndimage.distance_transform_edt(canvas.label == 0, sampling=(5.8, 2.5, 2.5)) > anatomy.EDGE
    twin = canvas.image[far & (canvas.image > 200)]
    assert 305 - 1e-9 <= twin.max() <= 345 + 1e-9
    assert twin.size * 5.8 * 2.5 * 2.5 > 0.2 * 4 / 3 * np.pi * 9**3
    nodule = canvas.image[canvas.label == anatomy.NODULE]
    assert nodule.size == 0 or nodule.max() == pytest.approx(twin.max())


def test_brightness_alone_does_not_find_the_organ(patients: list[Patient]) -> None:
    """The best of all brightness windows, chosen with the label in hand."""
    for patient in patients:
        organ = patient.label == anatomy.ORGAN
        levels = np.quantile(patient.image, np.linspace(0, 1, 41))
        inside_ = np.histogram(patient.image[organ], levels)[0]
        total = np.histogram(patient.image, levels)[0]
        best = max(
            2 * inside_[i:j].sum() / (total[i:j].sum() + organ.sum())
            for i in range(40)
            for j in range(i + 1, 41)
        )
        assert best < 0.5


def test_place_alone_does_not_find_the_organ(store: Store) -> None:
    """Two patients' organs, laid over each other in relative coordinates, overlap poorly."""
    shapes = []
    for case in store.cases:
        label = np.array(store.volume(case, with_label=True).label) > 0
        zoom = [n / size for n, size in zip((24, 64, 64), label.shape, strict=True)]
        shapes.append(ndimage.zoom(label, zoom, order=0))
    dices = [
        2 * (a & b).sum() / (a.sum() + b.sum()) for i, a in enumerate(shapes) for b in shapes[:i]
    ]
    assert 0.4 < np.mean(dices) < 0.7


def test_the_air_has_the_noise_of_its_site(patients: list[Patient]) -> None:
    """No signal: Rician noise is Rayleigh there; mean sigma sqrt(pi / 2), mean square 2 sigma^2."""
    for number, patient in enumerate(patients):
        site = site_of(number)
        corners = [patient.image[:, :8, :8], patient.image[:, :8, -8:]]
        air = np.stack(corners).astype(float) - site.offset
        assert air.mean() == pytest.approx(site.noise * np.sqrt(np.pi / 2), rel=0.04)
        assert (air**2).mean() == pytest.approx(2 * site.noise**2, rel=0.05)


def test_sites_differ_in_brightness(store: Store) -> None:
    """Shading moves single patients; the sites keep their order."""
    bright = [float(np.quantile(store.image(case), 0.95)) for case in store.cases]
    north, east, south = (np.mean(bright[i::3]) for i in range(3))
    assert 1.15 * east < north < 0.85 * south


def test_the_coil_shades() -> None:
    """A flat tissue without noise comes out uneven, smoothly."""
    site = scanner.Site("s", gain=1, offset=0, contrast=1, noise=0, shading=0.4, spread=0.3)
    image = scanner.scan(np.full((20, 40, 40), 1000.0), Stream(1), site).astype(float)
    assert image.max() / image.min() > 1.1
    assert np.abs(np.diff(image, axis=1)).max() < 40


def test_a_case_that_it_has_not() -> None:
    for case in ("patient00", "patient31", "patient", "patient1x"):
        with pytest.raises(DataError, match=f"case {case}: the phantom has patient01 to patient30"):
            Phantom(None, None).read(Source(case, case))


# Its numbers and shapes


def test_uniforms_are_those_of_numpys_generator() -> None:
    reference = np.random.Generator(np.random.PCG64(np.random.SeedSequence((3, 4))))
    assert np.array_equal(Stream(3, 4).uniforms(5, 7), reference.random((5, 7)))
    low, high = Stream(1).uniforms(10000, low=-2, high=5).min(), Stream(1).uniform(-2, 5)
    assert -2 <= low < -1.99
    assert -2 <= high < 5


def test_keys_give_streams_of_their_own() -> None:
    assert not np.array_equal(Stream(1, 2).uniforms(9), Stream(1, 3).uniforms(9))
    assert np.array_equal(Stream(1, 2).uniforms(9), Stream(1, 2).uniforms(9))


def test_whole_numbers_reach_both_ends() -> None:
    stream = Stream(5)
    assert {stream.whole(13, 18) for _ in range(300)} == {13, 14, 15, 16, 17, 18}


def test_normals_have_the_moments_of_four_uniforms() -> None:
    values = Stream(9).normals(400, 500)
    assert values.mean() == pytest.approx(0, abs=0.01)
    assert values.var() == pytest.approx(1, abs=0.01)
    assert (values**3).mean() == pytest.approx(0, abs=0.03)
    assert (values**4).mean() == pytest.approx(3 - 6 / (5 * 4), abs=0.03)
    assert np.abs(values).max() <= 2 * np.sqrt(3)


def test_smooth_is_scipys_cubic_spline() -> None:
    shape, knots = (9, 16, 21), (2, 3, 5)
    field = Stream(8).uniforms(5, 6, 8, low=-1.7, high=1.7)
    for axis, (size, count) in enumerate(zip(shape, knots, strict=True)):
        at = np.arange(size) * count / size
        design = BSpline.design_matrix(at, np.arange(-3, count + 4.0), 3).toarray()
        field = np.moveaxis(np.tensordot(design, field, axes=(1, axis)), 0, axis)
    assert np.allclose(smooth(Stream(8), shape, knots), field, atol=1e-12)


def test_an_ellipsoid_has_its_volume_and_its_slope() -> None:
    grid = Grid.of((40, 80, 80), (2.0, 1.0, 1.0))
    solid = ellipsoid(grid, (3, -5, 4), (20, 12, 16), turn=0.7)
    volume = (solid < 0).sum() * 2.0
    assert volume == pytest.approx(4 / 3 * np.pi * 20 * 12 * 16, rel=0.01)
    assert inside(solid, edge=1.0).sum() * 2.0 == pytest.approx(volume, rel=0.01)
    plane = solid[21] < 0  # z = 3
    y, x = (axis[21][plane] for axis in (grid.y, grid.x))
    assert (y.mean(), x.mean()) == pytest.approx((-5, 4), abs=0.1)
    values, vectors = np.linalg.eigh(np.cov(y, x))
    assert vectors[0, 1] / vectors[1, 1] == pytest.approx(0.7, abs=0.05)
    assert 2 * np.sqrt(values) == pytest.approx([12, 16], rel=0.02)


def test_a_blur_spreads_one_voxel_and_keeps_its_sum() -> None:
    image = np.zeros((3, 5, 5))
    image[1, 2, 2] = 1
    blurred = blur(image, 0.4)
    assert blurred[1, 1:4, 1:4].ravel() == pytest.approx(
        np.outer([0.2, 0.6, 0.2], [0.2, 0.6, 0.2]).ravel()
    )
    assert blurred.sum() == pytest.approx(1)
    assert blurred[0].sum() == 0
