"""Finding entries: the suite's own folders, and those that `--include` names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.cards import DatasetCard, MethodCard
from bench.registry import discover, load
from tests.registry.entries import CARD, DATASET, refused, write


def test_the_suite_finds_its_own_folders(project_root: Path) -> None:
    registry = discover()
    for kind, entries in (("methods", registry.methods), ("datasets", registry.datasets)):
        folders = {
            folder.name
            for folder in (project_root / kind).iterdir()
            if folder.is_dir() and not folder.name.startswith(("_", "."))
        }
        assert {found.folder.name for found in entries.values()} == folders
        assert all(found.origin == "suite" for found in entries.values())
    card = registry.method("unet")[1]
    assert isinstance(card, MethodCard)
    assert card.block == "method"
    assert isinstance(registry.dataset("phantom")[1], DatasetCard)


@pytest.mark.slow
def test_every_entry_of_the_suite_is_sound() -> None:
    """Its card is read, its class is there and imports."""
    registry = discover()
    for found in (*registry.methods.values(), *registry.datasets.values()):
        assert found.problem is None
        assert load(found).__module__.startswith(f"{found.kind}s.{found.folder.name}.")


def test_finding_imports_nothing_heavy(project_root: Path) -> None:
    script = (
        "import sys; from bench.registry import discover; discover(); "
        "heavy = {'torch', 'hydra', 'numpy', 'monai', 'methods', 'datasets'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=project_root, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_an_unknown_name_offers_near_ones() -> None:
    registry = discover()
    assert (
        refused(registry.method, "linear_prob")
        == "unknown method 'linear_prob'; did you mean linear_probe?"
    )
    assert "did you mean phantom" in refused(registry.dataset, "fantom")


def test_one_entry_may_be_included(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine")
    found, card = discover([folder]).method("mine")
    assert (found.origin, found.folder, card.defaults) == ("include", folder, {"lr": 0.001})
    assert load(found).__name__ == "Mine"


def test_a_folder_of_entries_may_be_included(tmp_path: Path) -> None:
    write(tmp_path / "one")
    write(tmp_path / "two")
    write(tmp_path / "toy", card=DATASET, dataset="class Toy: ...")
    (tmp_path / "notes").mkdir()
    registry = discover([tmp_path])
    assert {name for name, f in registry.methods.items() if f.origin == "include"} == {"one", "two"}
    assert {name for name, f in registry.datasets.items() if f.origin == "include"} == {"toy"}


def test_a_tree_like_ours_may_be_included(tmp_path: Path) -> None:
    write(tmp_path / "methods" / "mine")
    write(tmp_path / "datasets" / "toy", card=DATASET, dataset="class Toy: ...")
    registry = discover([tmp_path])
    assert load(registry.method("mine")[0]).__name__ == "Mine"
    assert load(registry.dataset("toy")[0]).__name__ == "Toy"


def test_a_folder_reached_twice_is_one_entry(tmp_path: Path, project_root: Path) -> None:
    write(tmp_path / "mine")
    assert "mine" in discover([tmp_path, tmp_path / "mine", tmp_path]).methods
    assert set(discover([project_root]).methods) == set(discover().methods)


def test_nothing_to_include_is_an_error(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert refused(discover, [gone]) == f"--include {gone}: there is no such folder"
    assert refused(discover, [tmp_path]) == (
        f"--include {tmp_path}: no folder with a method.py or dataset.py, in it or one below"
    )


def test_a_relative_path_is_as_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "mine")
    monkeypatch.chdir(tmp_path / "mine")
    assert discover([Path()]).method("mine")[0].folder == tmp_path / "mine"


def test_a_collision_names_both(tmp_path: Path, project_root: Path) -> None:
    folder = write(tmp_path / "unet")
    assert refused(discover, [folder]) == (
        f"two methods are called 'unet': {project_root / 'methods' / 'unet'} and {folder}; "
        "rename one"
    )
    one, two = write(tmp_path / "a" / "mine"), write(tmp_path / "b" / "mine")
    text = refused(discover, [one, two])
    assert str(one) in text
    assert str(two) in text


def test_a_variant_may_collide_too(tmp_path: Path) -> None:
    write(tmp_path / "mine", card=CARD + "variants: {big: {}}\n")
    write(tmp_path / "mine_big")
    assert "two methods are called 'mine_big'" in refused(discover, [tmp_path])
