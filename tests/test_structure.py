"""The shape of the house: which way the arrows go, what may be named where, and how long files are.

Where one of these fails, the code is to be moved, not the test.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.registry import discover

ROOMS = ("bench", "methods", "datasets")
LONGEST = 12_000
ORDINARY = {"folder"}
"""Registered names that are words of the harness's own language, too."""
BOARD_MAY = (
    "bench.board",
    "bench.record",
    "bench.errors",
    "bench.protocol",
    "bench.score",
    "bench.device",
)
ENTRIES_MAY = (
    "bench.contract",
    "bench.data",
    "bench.errors",
    "bench.models",
    "bench.options",
    "bench.protocol",
    "bench.train",
)
TEXT = {".py", ".md", ".yaml", ".yml", ".toml", ".txt", ".json", ".tmpl", ".svg", ".csv", ""}
TEXT |= {".ipynb", ".cff", ".sh", ".css"}
# Put together here, so that this file does not hold what it looks for.
PRIVATE = re.compile("|".join(["/wo" + "rk/", "/ro" + "ot/", "/opt/py" + "pi", "index" + "-url"]))


def python_files(root: Path, *rooms: str) -> list[Path]:
    return [file for room in rooms for file in sorted((root / room).rglob("*.py"))]


def imports(tree: ast.AST) -> Iterator[str]:
    """What a file imports, at its top or within a function; relative imports are its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            # `from bench import registry` imports bench.registry
            yield from (
                [f"{node.module}.{alias.name}" for alias in node.names]
                if "." not in node.module
                else [node.module]
            )


def docstrings(tree: ast.AST) -> set[int]:
    """Ids of the constants that stand alone as a statement: text for a reader."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, text) of the strings in code."""
    told = docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.lineno, node.value


def named(text: str, names: set[str]) -> set[str]:
    """Registered names that a string stands for: alone, or as a part of a path or module."""
    return set() if re.search(r"\s", text) else set(re.split(r"[/\\.:=,]", text)) & names


def within(name: str, allowed: tuple[str, ...]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in allowed)


def test_the_finders_find() -> None:
    """The rules below look for nothing if these do not see it."""
    lines = [
        '"""unet"""',
        "from methods.unet import x",
        "from bench import plan",
        "from . import y",
        "def f():",
        '    """unet"""',
        "    import datasets.acdc",
        '    return "unet", f"methods/unet/{x}"',
    ]
    tree = ast.parse("\n".join(lines))
    assert sorted(imports(tree)) == ["bench.plan", "datasets.acdc", "methods.unet"]
    found = [text for _, text in literals(tree) if named(text, {"unet"})]
    assert found == ["unet", "methods/unet/"]
    assert named("try method=unet first", {"unet"}) == set()


def test_the_harness_imports_no_entry(project_root: Path) -> None:
    wrong = [
        f"{file.relative_to(project_root)}: {name}"
        for file in python_files(project_root, "bench")
        for name in imports(ast.parse(file.read_text()))
        if within(name, ("methods", "datasets"))
    ]
    assert wrong == []


def test_the_harness_names_no_entry(project_root: Path) -> None:
    """`conf/config.yaml` says what the default is; examples in sentences are for a reader."""
    registry = discover()
    names = {*registry.methods, *registry.datasets} - ORDINARY
    names |= {
        found.folder.name for found in (*registry.methods.values(), *registry.datasets.values())
    }
    names -= ORDINARY
    assert len(names) > 8
    wrong = [
        f"{file.relative_to(project_root)}:{line}: {text!r}"
        for file in python_files(project_root, "bench")
        for line, text in literals(ast.parse(file.read_text()))
        if named(text, names)
    ]
    assert wrong == []


def test_the_board_reads_records_alone(project_root: Path) -> None:
    wrong = [
        f"{file.relative_to(project_root)}: {name}"
        for file in python_files(project_root, "bench/board")
        for name in imports(ast.parse(file.read_text()))
        if within(name, ROOMS) and not within(name, BOARD_MAY)
    ]
    assert wrong == []


@pytest.mark.parametrize("room", ["methods", "datasets"])
def test_entries_know_the_contract_and_the_parts(project_root: Path, room: str) -> None:
    """Never the registry, a plan or a unit: an entry is used by the harness, not the reverse. It
    may build on another of its own kind."""
    wrong = [
        f"{file.relative_to(project_root)}: {name}"
        for file in python_files(project_root, room)
        for name in imports(ast.parse(file.read_text()))
        if within(name, ROOMS) and not within(name, (*ENTRIES_MAY, room))
    ]
    assert wrong == []


def test_the_board_needs_no_torch(project_root: Path) -> None:
    script = (
        "import importlib, pkgutil, sys, bench.board\n"
        "for m in pkgutil.walk_packages(bench.board.__path__, 'bench.board.'):\n"
        "    importlib.import_module(m.name)\n"
        "print(len([m for m in sys.modules if m.startswith('bench.board.')]))\n"
        "print(sorted({'torch', 'monai', 'hydra'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=project_root, capture_output=True, text=True, check=True
    )
    modules, heavy = done.stdout.splitlines()
    assert int(modules) >= 5
    assert heavy == "[]"


def test_no_file_is_longer_than_a_room(project_root: Path) -> None:
    long = {
        str(file.relative_to(project_root)): file.stat().st_size
        for file in python_files(project_root, *ROOMS)
        if file.stat().st_size > LONGEST
    }
    assert long == {}


def test_every_package_of_ours_says_what_it_is(project_root: Path) -> None:
    """Each Python file opens with a docstring: a reader finds the room by its name."""
    silent = [
        str(file.relative_to(project_root))
        for file in python_files(project_root, *ROOMS)
        if ast.get_docstring(ast.parse(file.read_text())) is None
    ]
    assert silent == []


def test_nothing_of_the_machine_it_was_written_on(project_root: Path) -> None:
    """No absolute path of somebody's home, no private package index, in anything committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=project_root, capture_output=True, text=True, check=False
    ).stdout.split("\0")
    files = [project_root / name for name in listed if name] or [
        file for room in (*ROOMS, "tests", "docs") for file in (project_root / room).rglob("*")
    ]
    found = [
        f"{file.relative_to(project_root)}: {match.group()}"
        for file in files
        if file.is_file() and file.suffix in TEXT and "__pycache__" not in file.parts
        for match in [PRIVATE.search(file.read_text(encoding="utf-8", errors="replace"))]
        if match
    ]
    assert found == []
