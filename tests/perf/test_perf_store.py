"""An epoch of random 2D slices: the store, MONAI's PersistentDataset, and the originals.

All give the same tensors in the same order, from files that the system has in its cache, and take
turns in one run. Ratios are the other's time by the store's. make bench runs this.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from monai.data import PersistentDataset
from monai.transforms import Compose, EnsureChannelFirstd, EnsureTyped, LoadImaged, Transform
from pytest_benchmark.fixture import BenchmarkFixture

from bench.contract import Copy, RawCase, Source
from bench.data.prepare import prepare
from bench.data.readers import read_image
from bench.data.store import Store, open_store

CASES, SHAPE = 6, (32, 256, 256)
ROUNDS = 3
Pair = tuple[torch.Tensor, torch.Tensor]
Pick = tuple[str, int]


@dataclass(frozen=True)
class Originals:
    """<case>.nii.gz and <case>-label.nii.gz."""

    root: Path

    def find(self) -> Copy:
        images = sorted(p for p in self.root.glob("*.nii.gz") if "-" not in p.name)
        names = [p.name.partition(".")[0] for p in images]
        return Copy(
            "nifti",
            self.root,
            tuple(Source(n, n, (p, label_of(p))) for n, p in zip(names, images, strict=True)),
        )

    def read(self, source: Source) -> RawCase:
        image, label = (read_image(file, case=source.case) for file in source.files)
        return RawCase(image.array, label.array, image.spacing, image.affine)


def label_of(image: Path) -> Path:
    return image.with_name(image.name.replace(".nii", "-label.nii"))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """As in a worker of a loader; else two threads wait for each other over each small slice."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Originals:
    """A 12-bit scan with noise, as it comes from a hospital: int16, gzip."""
    root = tmp_path_factory.mktemp("originals")
    rng = np.random.default_rng(0)
    z, y, x = np.ogrid[tuple(slice(-1, 1, complex(0, n)) for n in SHAPE)]
    for number in range(CASES):
        centre = rng.uniform(-0.2, 0.2, 3)
        body = z**2 / 9 + y**2 + x**2 < 0.8
        organ = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < 0.15
        image = 300 * body + 200 * organ + rng.normal(0, 25, SHAPE) + 100
        for name, array in (("", image.astype(np.int16)), ("-label", organ.astype(np.uint8))):
            affine = np.diag([0.7, 0.7, 3.0, 1.0])
            nibabel.save(
                nibabel.Nifti1Image(array.transpose(), affine), root / f"c{number}{name}.nii.gz"
            )
    return Originals(root)


@pytest.fixture(scope="module")
def store(originals: Originals, tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("store") / "store"
    return prepare(originals, name="originals", folder=folder, classes=["organ"])  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def epoch() -> list[Pick]:
    """As many slices as there are, in random order."""
    every = [(f"c{case}", index) for case in range(CASES) for index in range(SHAPE[0])]
    order = np.random.default_rng(1).permutation(len(every))
    return [every[i] for i in order]


def from_store(folder: Path, picks: list[Pick]) -> Iterator[Pair]:
    """Opening the store is part of the epoch."""
    store = open_store(folder)
    volumes = {case: store.volume(case, with_label=True) for case in store.cases}
    for case, index in picks:
        volume = volumes[case]
        assert volume.label is not None
        # torch widens float16 about ten times as fast as numpy.
        image = torch.from_numpy(volume.image[index].copy()).float()
        yield image, torch.from_numpy(volume.label[index].copy())


def monai_transform() -> Compose:
    return Compose(
        [
            LoadImaged(keys=["image", "label"], image_only=True),
            EnsureChannelFirstd(keys=["image", "label"]),
            EnsureTyped(keys=["image"], dtype=torch.float32, track_meta=False),
            EnsureTyped(keys=["label"], dtype=torch.uint8, track_meta=False),
        ]
    )


def monai_volumes(originals: Originals, cache: Path) -> PersistentDataset:
    data = [{"image": str(s.files[0]), "label": str(s.files[1])} for s in originals.find().sources]
    dataset = PersistentDataset(data, transform=monai_transform(), cache_dir=cache)
    for item in range(len(data)):
        _ = dataset[item]  # fills the cache, which is not part of the epoch
    return dataset


def from_monai_volumes(dataset: PersistentDataset, picks: list[Pick]) -> Iterator[Pair]:
    for case, index in picks:
        item: Any = dataset[int(case[1:])]
        yield item["image"][0, :, :, index].t(), item["label"][0, :, :, index].t()


class OneSlice(Transform):
    """The same transform, then one slice: what is cached is a slice a file.

    A `Transform`, for PersistentDataset caches the outcome of no other class.
    """

    def __init__(self) -> None:
        self.load = monai_transform()

    def __call__(self, item: dict[str, Any]) -> dict[str, torch.Tensor]:
        loaded: Any = self.load({key: item[key] for key in ("image", "label")})
        index = item["index"]
        return {k: loaded[k][0, :, :, index].t().contiguous() for k in ("image", "label")}


def monai_slices(originals: Originals, cache: Path, picks: list[Pick]) -> PersistentDataset:
    files = {s.case: s.files for s in originals.find().sources}
    data = [
        {"image": str(files[case][0]), "label": str(files[case][1]), "index": index}
        for case, index in picks
    ]
    dataset = PersistentDataset(data, transform=OneSlice(), cache_dir=cache)
    for item in range(len(data)):
        _ = dataset[item]
    assert len([*cache.glob("*.pt")]) == len(picks)
    return dataset


def from_monai_slices(dataset: PersistentDataset) -> Iterator[Pair]:
    for item in range(len(dataset)):
        pair: Any = dataset[item]
        yield pair["image"], pair["label"]


def from_originals(originals: Originals, picks: list[Pick]) -> Iterator[Pair]:
    """Each slice read from its file, as a loader without any cache does."""
    files = {s.case: s.files for s in originals.find().sources}
    for case, index in picks:
        image, label = (np.asarray(nibabel.load(file).dataobj[..., index]) for file in files[case])
        yield torch.from_numpy(image.T.astype(np.float32)), torch.from_numpy(label.T.copy())


def seconds(epoch: Callable[[], Iterator[Pair]], slices: int) -> float:
    start = time.perf_counter()
    count = sum(1 for _ in epoch())
    assert count == slices
    return time.perf_counter() - start


def compare(
    benchmark: BenchmarkFixture,
    what: str,
    ours: Callable[[], Iterator[Pair]],
    theirs: Callable[[], Iterator[Pair]],
    slices: int,
    rounds: int = ROUNDS,
) -> float:
    """The median time of both, taken in turns; and that they give the same tensors."""
    for (image, label), (image2, label2) in zip(ours(), theirs(), strict=True):
        assert torch.equal(image, image2)
        assert torch.equal(label, label2)
    times = [(seconds(ours, slices), seconds(theirs, slices)) for _ in range(rounds)]
    mine, other = (statistics.median(column) for column in zip(*times, strict=True))
    benchmark.extra_info[f"{what} ratio"] = round(other / mine, 1)
    benchmark.extra_info["slices"] = slices
    benchmark.extra_info[f"{what} ours_s"] = round(mine, 4)
    benchmark.extra_info[f"{what} other_s"] = round(other, 4)
    benchmark.pedantic(lambda: seconds(ours, slices), rounds=3)
    return other / mine


def test_slices_against_persistent_volumes(
    benchmark: BenchmarkFixture,
    store: Store,
    originals: Originals,
    epoch: list[Pick],
    tmp_path: Path,
) -> None:
    """One cached file a volume: what a recipe that picks slices out of volumes does."""
    dataset = monai_volumes(originals, tmp_path)
    ratio = compare(
        benchmark,
        "PersistentDataset of volumes",
        lambda: from_store(store.folder, epoch),
        lambda: from_monai_volumes(dataset, epoch),
        len(epoch),
    )
    assert ratio > 10


def test_slices_against_persistent_slices(
    benchmark: BenchmarkFixture,
    store: Store,
    originals: Originals,
    epoch: list[Pick],
    tmp_path: Path,
) -> None:
    """One cached file a slice, which is the best that PersistentDataset can do for slices."""
    picks = epoch[:80]
    dataset = monai_slices(originals, tmp_path, picks)
    ratio = compare(
        benchmark,
        "PersistentDataset of slices",
        lambda: from_store(store.folder, picks),
        lambda: from_monai_slices(dataset),
        len(picks),
        rounds=9,
    )
    assert ratio > 3


def test_slices_against_originals(
    benchmark: BenchmarkFixture, store: Store, originals: Originals, epoch: list[Pick]
) -> None:
    picks = epoch[:40]
    ratio = compare(
        benchmark,
        "originals",
        lambda: from_store(store.folder, picks),
        lambda: from_originals(originals, picks),
        len(picks),
    )
    assert ratio > 30


def test_a_second_prepare(
    benchmark: BenchmarkFixture, store: Store, originals: Originals, tmp_path: Path
) -> None:
    """Nothing changed: sizes and times are looked at, nothing is read."""

    def again(folder: Path) -> float:
        start = time.perf_counter()
        prepare(originals, name="originals", folder=folder, classes=["organ"])  # type: ignore[arg-type]
        return time.perf_counter() - start

    first = again(tmp_path / "fresh")
    second = statistics.median(again(store.folder) for _ in range(5))
    benchmark.extra_info["prepare ratio"] = round(first / second, 1)
    benchmark.extra_info["prepare first_s"] = round(first, 3)
    benchmark.extra_info["prepare ours_s"] = round(second, 5)
    benchmark.pedantic(lambda: again(store.folder), rounds=5)
    assert first / second > 50
