"""What people expect beside code: citation, forms, CI, hooks, container, site, pinned extras."""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Bench
from tools.verbs_page import PAGE, make_page

ROOT = Path(__file__).resolve().parents[1]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def nav_pages(entry: Any) -> Iterator[str]:
    """Paths that a `nav` of MkDocs names, at any depth."""
    if isinstance(entry, str):
        yield entry
    else:
        for value in entry.values() if isinstance(entry, dict) else entry:
            yield from nav_pages(value)


def test_the_citation_agrees_with_the_package() -> None:
    citation = read("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "abstract"} <= set(citation)
    assert all("name" in author or "family-names" in author for author in citation["authors"])
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]


def test_the_changelog_names_the_version_or_what_comes() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings
    assert headings[0] == "Unreleased" or headings[0].startswith(PROJECT["version"])


def test_there_is_a_form_for_each_kind_of_issue() -> None:
    assert {form.stem for form in FORMS} == {"bug", "config", "dataset", "method", "result"}


@pytest.mark.parametrize("form", [form.name for form in FORMS if form.stem != "config"])
def test_an_issue_form_is_one(form: str) -> None:
    """The keys that GitHub asks for: it shows a form with a mistake to nobody."""
    found = read(f".github/ISSUE_TEMPLATE/{form}")
    assert set(found) == {"name", "description", "title", "labels", "body"}
    asked = [field for field in found["body"] if field["type"] != "markdown"]
    names = [field["id"] for field in asked]
    assert names
    assert len(set(names)) == len(names)
    kinds = {"markdown", "textarea", "input", "dropdown", "checkboxes"}
    assert {field["type"] for field in found["body"]} <= kinds
    assert all(field["attributes"]["label"] for field in asked)
    chosen = [field for field in asked if field["type"] in ("dropdown", "checkboxes")]
    assert all(field["attributes"]["options"] for field in chosen)
    assert any(field.get("validations", {}).get("required") for field in asked)


def test_ci_runs_what_anybody_can_run() -> None:
    workflow = read(".github/workflows/ci.yml")
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    actions = {step["uses"].partition("@")[0] for step in steps if "uses" in step}
    assert actions == {"actions/checkout", "actions/setup-python"}
    commands = [step["run"].split()[0] for step in steps if "run" in step]
    assert commands == [".ci/run", ".ci/contribution"]
    assert all((ROOT / command).stat().st_mode & 0o111 for command in commands)
    assert workflow["permissions"] == {"contents": "read"}


def test_hooks_are_what_make_lint_does() -> None:
    """With the project's own tools: a hook of another repository would have its own versions."""
    repositories = read(".pre-commit-config.yaml")["repos"]
    assert {repository["repo"] for repository in repositories} == {"local"}
    hooks = [hook for repository in repositories for hook in repository["hooks"]]
    prefix = ".venv/bin/python -m "
    assert all(hook["entry"].startswith(prefix) for hook in hooks)
    assert {hook["language"] for hook in hooks} == {"system"}
    tools = [hook["entry"].removeprefix(prefix).split(" --")[0] for hook in hooks]
    lint = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    assert tools == [
        command.split(" --")[0].removesuffix(" .") for command in re.findall(r"-m (.+)", lint)
    ]


def test_the_container_is_built_by_make_setup() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    stages = [line.split()[-1] for line in lines if line.startswith("FROM ")]
    assert stages == ["cpu", "gpu", "${DEVICE}"]
    assert "ARG DEVICE=cpu" in lines
    runs = [line for line in lines if line.startswith("RUN ") and "apt-get" not in line]
    assert runs[-1] == "RUN make setup"
    assert not [line for line in lines if "pip install" in line]


def test_the_container_leaves_out_what_git_does() -> None:
    left_out = (ROOT / ".dockerignore").read_text().replace("**/", "").split()
    for line in (ROOT / ".gitignore").read_text().splitlines():
        if line and not line.startswith("#"):
            assert re.sub("^(!?)/", r"\1", line) in left_out


@pytest.mark.parametrize("extra", sorted(PROJECT["optional-dependencies"]))
def test_every_package_of_an_extra_is_pinned(extra: str) -> None:
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    asked = [re.split(r"[<>=!~\[;\s]", line)[0] for line in PROJECT["optional-dependencies"][extra]]
    assert [name for name in asked if name.lower().replace("_", "-") not in pinned] == []


def test_the_site_lists_every_page_once() -> None:
    pages = list(nav_pages(read("mkdocs.yml")["nav"]))
    assert len(set(pages)) == len(pages)
    assert [page for page in pages if not (ROOT / page).is_file()] == []
    docs = {file.relative_to(ROOT).as_posix() for file in (ROOT / "docs").rglob("*.md")}
    assert docs <= set(pages)


def test_no_link_of_a_page_is_broken() -> None:
    """Between files of the repository. Anchors are looked at by `make docs`."""
    pages = [ROOT / page for page in nav_pages(read("mkdocs.yml")["nav"])]
    pages += sorted((ROOT / "methods").glob("*/README.md"))
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in LINK.findall(page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_the_reference_names_modules_that_are_there() -> None:
    names = re.findall(r"^::: (\S+)$", (ROOT / "docs" / "contract.md").read_text(), re.MULTILINE)
    assert "bench.contract" in names
    assert [name for name in names if not importlib.import_module(name).__doc__] == []


def test_the_page_of_verbs_is_what_they_say(bench: Bench) -> None:
    assert PAGE.read_text() == make_page(), "run: python -m tools.verbs_page"
    assert f"```text\n{bench('compare', '--help').out}```" in PAGE.read_text()
