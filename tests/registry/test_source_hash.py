"""The hash of a method's source: another method, another hash, and only then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.registry import source_hash
from tests.registry.entries import write


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """Folders change under the same name here; elsewhere a process sees one version of each."""
    source_hash.cache_clear()
    yield
    source_hash.cache_clear()


def changed(folder: Path, file: str, text: str) -> bool:
    before = source_hash(folder)
    source_hash.cache_clear()
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(text)
    return source_hash(folder) != before


def test_the_hash_follows_the_source(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", method="class Mine: ...", net="WIDTH = 3")
    assert changed(folder, "method.py", "class Mine: a = 1")
    assert changed(folder, "net.py", "WIDTH = 4")
    assert changed(folder, "deep/new.py", "")
    assert not changed(folder, "net.py", "WIDTH = 4")


def test_the_hash_leaves_out_what_is_no_source(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine")
    for file in (
        "__pycache__/method.cpython-311.py",
        "__pycache__/method.cpython-311.pyc",
        "README.md",
        "tests/test_method.py",
        "card.yaml",  # its options are in the key themselves
    ):
        assert not changed(folder, file, "different"), file


def test_the_hash_tells_files_apart(tmp_path: Path) -> None:
    """The same bytes, cut otherwise into files, are another method."""
    one = write(tmp_path / "a" / "mine", method="A = 1\n", net="B = 2\n")
    two = write(tmp_path / "b" / "mine", method="A = 1\nB = 2\n", net="")
    same = write(tmp_path / "c" / "mine", method="A = 1\n", net="B = 2\n")
    assert source_hash(one) != source_hash(two)
    assert source_hash(one) == source_hash(same)


def test_the_hash_follows_what_the_method_builds_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A method that extends another of the suite changes with it, and with what it extends."""
    monkeypatch.setattr("bench.registry.ROOT", tmp_path)
    base = write(tmp_path / "methods" / "base", method="class Base: ...")
    middle = write(tmp_path / "methods" / "middle", method="from methods.base.method import Base\n")
    top = write(
        tmp_path / "methods" / "top",
        method="def f():\n    import methods.middle.method\n# from methods.aside import x\n",
    )
    aside = write(tmp_path / "methods" / "aside")
    before = source_hash(top)
    assert changed(base, "method.py", "class Base: a = 1")
    assert source_hash(top) != before
    source_hash.cache_clear()
    before = source_hash(top)
    assert changed(aside, "method.py", "class Mine: a = 1")
    assert source_hash(top) == before
    assert source_hash(middle) != source_hash(base)
