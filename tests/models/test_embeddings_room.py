"""The bound: the least recently used go first, and what a killed writer left."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import torch

from bench.models.embeddings import image_inputs
from bench.models.embeddings.room import ABANDONED, Room
from tests.models.embedding_toys import RECIPE, Encoder, cache_in, encoded, files, pictures

SIZE = 10_000


def entry(folder: Path, name: str, *, age: float) -> Path:
    path = folder / "embeddings" / "recipe" / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(SIZE))
    os.utime(path, (time.time(), time.time() - age))
    return path


def names(folder: Path) -> list[str]:
    return [path.stem for path in files(folder)]


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    for name, age in [("c", 30.0), ("a", 50.0), ("d", 20.0), ("b", 40.0), ("e", 10.0)]:
        entry(tmp_path, name, age=age)
    Room(tmp_path / "embeddings", 4 * SIZE).tidy()
    assert names(tmp_path) == ["c", "d", "e"]  # 36,000 of 40,000 bytes may stay


def test_below_the_bound_all_stay(tmp_path: Path) -> None:
    for name in "abcd":
        entry(tmp_path, name, age=10.0)
    Room(tmp_path / "embeddings", 4 * SIZE).tidy()
    assert names(tmp_path) == ["a", "b", "c", "d"]


def test_a_hit_makes_it_recent(tmp_path: Path) -> None:
    images = pictures(3)
    one = [image_inputs(images[i : i + 1]) for i in range(3)]
    for inputs in one[:2]:
        cache_in(tmp_path).embed(Encoder(), inputs, recipe=RECIPE)
    for age, path in enumerate(sorted(files(tmp_path), key=lambda p: p.stat().st_mtime)):
        os.utime(path, (0, 1000 + age))
    size = files(tmp_path)[0].stat().st_size
    cache_in(tmp_path).embed(Encoder(), one[0], recipe=RECIPE)  # the older one, used again
    cache_in(tmp_path, max_bytes=int(2.5 * size)).embed(Encoder(), one[2], recipe=RECIPE)
    kept = {path.stem for path in files(tmp_path)}
    assert kept == {one[0].hashes[0], one[2].hashes[0]}


def test_the_bound_holds_while_it_grows(tmp_path: Path) -> None:
    cache_in(tmp_path).embed(Encoder(), image_inputs(pictures(1)), recipe=RECIPE)
    bound = 7 * files(tmp_path)[0].stat().st_size
    cache = cache_in(tmp_path, max_bytes=bound)
    for seed in range(1, 6):
        images = pictures(5, seed=seed)
        embedded = cache.embed(Encoder(), image_inputs(images), recipe=RECIPE, batch=1)
        assert sum(path.stat().st_size for path in files(tmp_path)) <= bound
        assert torch.equal(embedded.take(), encoded(images).half())


def test_a_call_larger_than_the_bound_gets_all_it_asked_for(tmp_path: Path) -> None:
    """What was removed from the disk stays mapped for who holds it."""
    images = pictures(6)
    cache = cache_in(tmp_path, max_bytes=1)
    embedded = cache.embed(Encoder(), image_inputs(images), recipe=RECIPE)
    assert files(tmp_path) == []
    assert torch.equal(embedded.take(), encoded(images).half())


def test_it_looks_once_in_a_hundredth_of_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "embeddings").mkdir()
    looks = []
    monkeypatch.setattr(Room, "tidy", lambda room: looks.append(room))
    room = Room(tmp_path / "embeddings", 1000)
    for _ in range(12):
        room.used(4)
    assert len(looks) == 4  # at the first, the 4th, the 7th, the 10th
    room.used(100)
    assert len(looks) == 5


def test_a_killed_writers_rest_goes_after_an_hour(tmp_path: Path) -> None:
    rest = entry(tmp_path, "x", age=0).with_name(".x.1.0.tmp")
    rest.write_bytes(b"half")
    room = Room(tmp_path / "embeddings", 10**6)
    room.tidy()
    assert rest.exists()  # it may be a living one's
    os.utime(rest, (0, time.time() - ABANDONED - 1))
    room.tidy()
    assert not rest.exists()
    assert names(tmp_path) == ["x"]
