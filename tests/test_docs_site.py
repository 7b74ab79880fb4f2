"""The site is strict: a broken link, a broken anchor and a page that nobody lists fail its build.

On a small repository with the project's own `mkdocs.yml`; `make docs` builds the whole.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("mkdocs", reason="the extra `docs` is not installed (make docs)")
pytest.importorskip("material", reason="the extra `docs` is not installed (make docs)")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A home page and one page of docs that link to each other."""
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    settings.update(nav=["README.md", "docs/a.md"], plugins=[], watch=[])
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(settings))
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "docs_site.py", tmp_path / "tools")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "site.css").touch()
    (tmp_path / "README.md").write_text("# Home\n\n[a page](docs/a.md#a-page)\n")
    (tmp_path / "docs" / "a.md").write_text("# A page\n\n[home](../README.md)\n")
    return tmp_path


def build(site: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build"],
        cwd=site,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_pages_lie_where_they_do_in_the_repository(site: Path) -> None:
    code, said = build(site)
    assert code == 0, said
    assert 'href="docs/a/#a-page"' in (site / "build" / "site" / "index.html").read_text()
    assert 'href="../../"' in (site / "build" / "site" / "docs" / "a" / "index.html").read_text()


@pytest.mark.parametrize(
    ("page", "text", "line"),
    [
        ("a", "[x](nowhere.md)", "the target 'docs/nowhere.md' is not found"),
        ("a", "[x](../README.md#nowhere)", "does not contain an anchor '#nowhere'"),
        ("b", "# Not listed", 'not included in the "nav" configuration'),
    ],
)
def test_what_is_broken_fails_the_build(site: Path, page: str, text: str, line: str) -> None:
    with (site / "docs" / f"{page}.md").open("a") as file:
        file.write(f"\n{text}\n")
    code, said = build(site)
    assert code == 1
    assert line in said
