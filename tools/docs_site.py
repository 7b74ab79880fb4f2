"""MkDocs hook: the site has the repository's own layout, so that one relative link works in both.

MkDocs takes pages from `docs/` alone, and pages there link to `../leaderboard.md` or to
`../methods/unet/README.md`. This hook gives it every page of the repository under its path from the
repository's root, and the images that they show. `mkdocs.yml` names pages by the same paths.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PAGES = (
    "README.md",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "leaderboard.md",
    "docs/**/*.md",
    "docs/**/*.svg",
    "docs/**/*.png",
    "docs/site.css",
    "examples/README.md",
    "methods/*/README.md",
    "results/tables/*",
    "results/records/**/*.json",
    "results/figures/*.svg",
)
"""Patterns from the repository's root."""
COLUMNS = re.compile(r"<p>(?=(?:<code>)?\w+(?:</code>)? {2,}\S)")
"""A paragraph of a docstring that lists arguments: a name, spaces, what it means."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replaces what MkDocs found in `docs/`; the theme's own files stay."""
    root = Path(config.config_file_path).parent
    docs = Path(config.docs_dir)
    for file in list(files):
        if file.abs_src_path is not None and Path(file.abs_src_path).is_relative_to(docs):
            files.remove(file)
    for pattern in PAGES:
        for path in sorted(root.glob(pattern)):
            name = path.relative_to(root).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Marks such paragraphs, so that they keep their columns (docs/site.css)."""
    return COLUMNS.sub('<p class="columns">', html)
