"""Entries of installed packages, by the entry points they declare."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.registry import discover, load
from tests.registry.entries import DATASET, refused, write


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def install(site: Path, group: str, **points: str) -> None:
    """A distribution that declares entry points, as pip would have left it."""
    info = site / f"extra_{group}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: extra-{group}\nVersion: 1.0\n")
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    (info / "entry_points.txt").write_text(f"[sambench.{group}]\n{lines}")


def test_installed_packages_bring_entries(site: Path) -> None:
    write(
        site / "their_suite" / "wonder",
        method="from .net import Net\nfrom their_suite.shared import K\nclass Mine(Net): k = K",
        net="class Net: ...",
    )
    (site / "their_suite" / "__init__.py").write_text("")
    (site / "their_suite" / "shared.py").write_text("K = 7\n")
    (site / "their_suite" / "wonder" / "__init__.py").write_text("")
    install(site, "methods", miracle="their_suite.wonder")
    found, card = discover().method("miracle")  # the entry point's name, not the folder's
    assert (found.origin, found.folder) == ("package", site / "their_suite" / "wonder")
    assert card.title == "Mine"
    loaded = load(found)
    assert loaded.__module__ == "their_suite.wonder.method"
    assert loaded.k == 7


def test_installed_datasets_are_found_too(site: Path) -> None:
    write(site / "toypack", card=DATASET, dataset="class Toy: ...", __init__="")
    install(site, "datasets", toy="toypack")
    assert load(discover().dataset("toy")[0]).__name__ == "Toy"


def test_a_broken_package_stops_its_own_entry_alone(site: Path) -> None:
    (site / "explodes").mkdir()
    (site / "explodes" / "__init__.py").write_text("raise RuntimeError('no licence')\n")
    (site / "flat_module.py").write_text("")
    write(site / "fine", __init__="", method="class Mine: ...")
    install(
        site,
        "methods",
        gone="no_such_package",
        deep="no_such_package.inner",
        flat="flat_module",
        loud="explodes.inner",
        fine="fine",
    )
    registry = discover()
    assert load(registry.method("fine")[0]).__name__ == "Mine"
    problems = {name: registry.methods[name].problem for name in ("gone", "deep", "flat", "loud")}
    assert problems == {
        "gone": "entry point gone = no_such_package: there is no such package",
        "deep": "entry point deep = no_such_package.inner: "
        "ModuleNotFoundError: No module named 'no_such_package'",
        "flat": "entry point flat = flat_module: there is no such package",
        "loud": "entry point loud = explodes.inner: RuntimeError: no licence",
    }


def test_a_package_may_not_take_our_names(site: Path) -> None:
    write(site / "other_unet", __init__="", method="class Mine: ...")
    install(site, "methods", unet="other_unet")
    assert "two methods are called 'unet'" in refused(discover)
