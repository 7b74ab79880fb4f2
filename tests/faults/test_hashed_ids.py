"""`data.hash_ids=true`: the same patients under names that nobody can try out."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import pool
from bench.data.ids import open_ids
from bench.data.ready import Ready, make_ready
from bench.errors import RequestError
from bench.registry import discover
from bench.request.compose import compose_demand
from tests.faults.patients import (
    BROKEN,
    PATIENTS,
    clear_names,
    spoken,
    write,
)


def test_hashed_ids_keep_every_patient_where_he_was(
    mine: Path, ready: Callable[..., Ready]
) -> None:
    plain, hashed = ready(), ready(hash_ids=True)
    clear = clear_names(mine)
    assert sorted(clear.values()) == sorted(PATIENTS)
    assert all(re.fullmatch(r"h-[0-9a-f]{16}", name) for name in clear)
    for shots, draw in (("1", "0"), ("2", "3"), ("all", "9")):
        one = plain.resolve(draw, shots, probe_patients=1)
        two = hashed.resolve(draw, shots, probe_patients=1)
        assert [clear[s.patient] for s in two.support] == [s.patient for s in one.support]
        for part in ("pool", "probe", "test"):
            assert [clear[case] for case in getattr(two, part)] == list(getattr(one, part))
    for case in hashed.store.manifest.cases:
        there = hashed.store.volume(case.case, with_label=True)
        here = plain.store.volume(clear[case.case], with_label=True)
        assert np.array_equal(there.image, here.image)
        assert np.array_equal(there.label, here.label)
    slices = hashed.resolve("0", "3s", probe_patients=1)
    assert sum(len(entry.slices or ()) for entry in slices.support) == 3
    assert slices == hashed.resolve("0", "3s", probe_patients=1)


def test_a_hashed_copy_is_another_copy_and_stays_the_same_one(
    mine: Path, ready: Callable[..., Ready], tmp_path: Path
) -> None:
    plain, hashed = ready(), ready(hash_ids=True)
    assert (plain.name, hashed.name) == ("folder_ours", "folder_ours, hashed ids")
    assert plain.fingerprint != hashed.fingerprint
    assert plain.split_hash("ours") != hashed.split_hash("ours")
    assert plain.store.folder != hashed.store.folder
    written = (mine / "sambench_ids.json").stat()
    assert written.st_mode & 0o077 == 0  # for its owner alone
    again = ready(hash_ids=True, cache=str(tmp_path / "elsewhere"))  # as on another machine
    assert again.fingerprint == hashed.fingerprint
    assert (mine / "sambench_ids.json").stat().st_mtime_ns == written.st_mtime_ns
    (mine / "sambench_ids.json").unlink()
    other = ready(hash_ids=True)  # another salt: nobody can try out names
    assert other.fingerprint != hashed.fingerprint
    assert not set(other.store.cases) & set(hashed.store.cases)


def test_a_new_patient_joins_the_list_and_the_split_says_so_without_his_name(
    mine: Path, ready: Callable[..., Ready]
) -> None:
    ready(hash_ids=True)
    before = clear_names(mine)
    write(mine, BROKEN, 9)
    with pytest.raises(RequestError, match=r"split\.json can't be used, and the reason") as caught:
        ready(hash_ids=True)
    assert not spoken(str(caught.value))
    with pytest.raises(RequestError, match=f"1 of 7 patients are not in .* \\({BROKEN}\\)"):
        ready()
    (mine / "sambench_split.json").unlink()
    ready(hash_ids=True)
    after = clear_names(mine)
    assert before.items() < after.items()
    assert set(after.values()) - set(before.values()) == {BROKEN}


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"format": 1, "salt": "00", "ids": {}}', b"[[" * 9999, b"\xff"]
)
def test_a_damaged_secret_is_not_replaced(
    mine: Path, ready: Callable[..., Ready], content: bytes
) -> None:
    (mine / "sambench_ids.json").write_bytes(content)
    with pytest.raises(RequestError, match=r"sambench_ids\.json is damaged: put the old one back"):
        ready(hash_ids=True)
    assert (mine / "sambench_ids.json").read_bytes() == content


def test_a_changed_list_is_damage(tmp_path: Path) -> None:
    open_ids(tmp_path / "ids.json", ["a", "b"])
    text = (tmp_path / "ids.json").read_text()
    (tmp_path / "ids.json").write_text(text.replace('"b"', '"c"'))
    with pytest.raises(RequestError, match="is damaged"):
        open_ids(tmp_path / "ids.json", ["a"])


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = open_ids(tmp_path / "ids.json", ["a"])
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the superuser may always write
    assert open_ids(tmp_path / "ids.json", ["a"]) == ids
    with pytest.raises(RequestError, match=r"ids\.json: the folder is read-only; data\.hash_ids"):
        open_ids(tmp_path / "ids.json", ["b"])


def test_published_ids_are_not_hashed() -> None:
    data = {"root": None, "cache": None, "partial": True, "skip_bad": False, "hash_ids": True}
    with pytest.raises(RequestError, match="is for volumes of your own; the ids of phantom are"):
        make_ready(discover(), "phantom", {}, data)


def test_a_pool_hashes_what_nobody_published(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, bool] = {}

    def note(registry: Any, name: str, options: Any, data: Any) -> Any:
        asked[name] = data["hash_ids"]

    monkeypatch.setattr(pool, "make_ready", note)
    registry = discover()
    words = ["method=samora", "dataset=promise12", "pool=phantom,folder", "data.hash_ids=true"]
    pool.pool_copies(compose_demand(words, registry, gpu=False), registry, {})
    assert asked == {"phantom": False, "folder": True}
