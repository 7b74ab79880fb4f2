"""An entry's class: found by its card, imported without touching anybody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.registry import load
from tests.registry.entries import CARD, method, refused, write


def test_relative_imports_within_an_included_folder(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "mine",
        method="from .parts import WIDTH\nfrom .nets.wide import deep\n"
        "class Mine: width, deep = WIDTH, deep",
        parts="WIDTH = 3",
    )
    (folder / "nets").mkdir()
    (folder / "nets" / "wide.py").write_text("from ..parts import WIDTH\ndeep = WIDTH + 1\n")
    loaded = load(method(folder))
    assert (loaded.width, loaded.deep) == (3, 4)
    assert load(method(folder)) is loaded


def test_two_folders_of_one_name_do_not_share_code(tmp_path: Path) -> None:
    """One after the other in one process, as the tests of a contributor do."""
    first = write(tmp_path / "a" / "mine", method="class Mine: which = 1")
    second = write(tmp_path / "b" / "mine", method="class Mine: which = 2")
    assert load(method(first)).which == 1
    assert load(method(second)).which == 2


def test_a_folder_may_have_a_name_that_python_has_not(tmp_path: Path) -> None:
    assert load(method(write(tmp_path / "mine-2.0"))).__name__ == "Mine"


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("class Mine(:", "SyntaxError: invalid syntax"),
        ("raise KeyError('weights')", "KeyError: 'weights'"),
    ],
)
def test_code_that_can_not_be_imported(tmp_path: Path, code: str, problem: str) -> None:
    folder = write(tmp_path / "mine", method=code)
    text = refused(load, method(folder))
    assert text.startswith(f"method mine: {folder / 'method.py'} can't be imported: {problem}")


def test_an_entry_that_is_not_there(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", method="Mine = 3\nclass Other: ...")
    card = folder / "card.yaml"
    assert refused(load, method(folder)) == f"{card}: entry: method.py has no class Mine"
    card.write_text(CARD.replace("method:Mine", "net:Mine"))
    assert refused(load, method(folder)) == f"{card}: entry: there is no net.py"
