"""`import bench` is light, and offers what docs/api.md says."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import bench
from tests.test_structure import imports, python_files, within

HEAVY = {"numpy", "pandas", "torch", "scipy", "pydantic", "hydra", "rich"}


def modules_after(statement: str, root: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys; print(*sys.modules)"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_import_bench_loads_nothing_heavy(project_root: Path) -> None:
    loaded = modules_after("import bench; dir(bench)", project_root)
    assert "bench" in loaded
    assert loaded & HEAVY == set()
    assert {name for name in loaded if name.startswith("bench.")} == set()


def test_a_name_is_loaded_when_it_is_used(project_root: Path) -> None:
    loaded = modules_after("import bench; bench.load_results", project_root)
    assert {"pandas", "bench.api.results"} <= loaded
    assert "torch" not in loaded
    assert "torch" not in modules_after("from bench import evaluate", project_root)


def test_every_public_name_is_there_and_explained() -> None:
    assert set(bench.__all__) <= set(dir(bench))
    for name in bench.__all__:
        value = getattr(bench, name)
        assert name == "__version__" or len(value.__doc__) > 100
    with pytest.raises(AttributeError, match="module 'bench' has no attribute 'evalute'"):
        bench.evalute  # noqa: B018


def test_the_package_is_marked_as_typed(project_root: Path) -> None:
    assert (project_root / "bench" / "py.typed").read_text() == ""
    setup = tomllib.loads((project_root / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert "py.typed" in setup["package-data"]["*"]


def test_only_the_verbs_build_on_the_api(project_root: Path) -> None:
    """It may use every other room, so none of those may use it."""
    users = {
        file.relative_to(project_root).parts[1]
        for file in python_files(project_root, "bench", "methods", "datasets")
        if any(within(name, ("bench.api",)) for name in imports(ast.parse(file.read_text())))
    }
    assert users == {"__init__.py", "api", "cli"}
