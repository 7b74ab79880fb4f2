"""A failed unit's reason says nothing of the folders of whoever ran it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

from bench.check.lab import steps_budget
from bench.errors import RequestError, reason_of
from bench.unit import __main__ as unit_main
from bench.unit.__main__ import attempt
from bench.unit.folders import folders_of, without_folders

from .conftest import MakeLab

FOLDERS = {
    "/home/alice": "~",
    "/home/alice/my results": "results",
    "/home/alice/cache": "cache",
    "/home/alice/cache/volumes/ours": "store",
    "/tmp": "tmp",
}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "cannot write /home/alice/my results/states/k: full",
            "cannot write results/states/k: full",
        ),
        ("[Errno 2] none: '/home/alice/cache/volumes/ours/a'", "[Errno 2] none: 'store/a'"),
        ("/home/alice/cache/sam.pth and /home/alice/x.py", "cache/sam.pth and ~/x.py"),
        ("no room in /tmp.", "no room in tmp."),
        ("file:///home/alice/x", "file://~/x"),
        ("/home/alice-2/x, /home/alice.old, /home/alicea", None),
        ("what it says of nothing at all", None),
        ("a path that was cut: /home/alice/my resul", "a path that was cut: ~/my resul"),
        ("a path that was cut: /home/ali", "a path that was cut: …"),
        ("", None),
    ],
)
def test_folders_become_words(text: str, left: str | None) -> None:
    assert without_folders(text, FOLDERS) == (text if left is None else left)


def test_a_name_as_the_system_quotes_it() -> None:
    folder = '/home/O\'Brien "Bo"  x'
    for error in (FileNotFoundError(2, "none", f"{folder}/a"), ValueError(f"{folder}/a")):
        assert "Brien" not in without_folders(reason_of(error), {folder: "~"})


def test_the_reason_in_a_record(
    make_lab: MakeLab, toys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab("learns")
    store = lab.store("all", lab.volumes)
    names = [f"case{number}" for number in range(5)]
    unit = lab.unit(store, support=names[:2], test=names[3:], budget=steps_budget(2))
    Path(unit.results).mkdir()
    link = tmp_path / "link"
    link.symlink_to(unit.results)
    unit = unit.model_copy(
        update={"cache": str(tmp_path / "kept"), "results": str(link), "include": (str(toys),)}
    )
    places = [
        f"{unit.results}/states/{unit.key}",
        f"{link.resolve()}/states/{unit.key}",
        f"{unit.cache}/sam.pth",
        f"{unit.store}/case0",
        f"{toys}/method.py",
        f"{Path.home()}/x",
        f"{tempfile.gettempdir()}/y",
    ]

    def fail(*_: object, **__: object) -> NoReturn:
        raise RequestError(failing)

    monkeypatch.setattr(unit_main, "run_unit", fail)
    said = []
    for failing in places:  # noqa: B007 - `fail` reads it
        said.append(attempt(unit).reason)
    state = f"results/states/{unit.key}"
    assert said == [
        f"RequestError: {place}"
        for place in (
            state,
            state,
            "cache/sam.pth",
            "store/case0",
            "include/method.py",
            "~/x",
            "tmp/y",
        )
    ]


def test_a_home_that_is_everything(monkeypatch: pytest.MonkeyPatch, make_lab: MakeLab) -> None:
    """As in some containers: no path would be left."""
    monkeypatch.setenv("HOME", "/")
    lab = make_lab("learns")
    unit = lab.unit(
        lab.store("all", lab.volumes), support=["case0"], test=["case1"], budget=steps_budget(2)
    )
    assert without_folders("/ and /usr/lib", folders_of(unit)) == "/ and /usr/lib"


def test_no_temporary_folder_is_no_fault_of_the_record(
    monkeypatch: pytest.MonkeyPatch, make_lab: MakeLab
) -> None:
    """As on a full disk: the unit fails of it, with a record that says so."""
    lab = make_lab("learns")
    unit = lab.unit(
        lab.store("all", lab.volumes), support=["case0"], test=["case1"], budget=steps_budget(2)
    )

    def full() -> NoReturn:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", full)
    assert without_folders("/tmp/x", folders_of(unit)) == "tmp/x"
