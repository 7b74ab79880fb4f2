"""Writes docs/verbs.md: the help of each verb of the command line, and every option of `run`.

python -m tools.verbs_page        a test refuses a page that this would change
"""

from __future__ import annotations

import ast
from pathlib import Path

from bench.cli import VERBS, usage

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "verbs.md"
OPTIONS = {
    "All of `run`": "config.yaml",
    "`executor=local` (the default)": "executor/local.yaml",
    "`executor=inline`": "executor/inline.yaml",
    "`executor=slurm`": "executor/slurm.yaml",
}
"""What a part of the page is called -> the file under bench/conf that it shows."""


def block(text: str, language: str = "text") -> str:
    return f"```{language}\n{text.strip()}\n```\n"


def help_of(verb: str) -> str:
    """The docstring of the verb's module, which is what `--help` prints."""
    source = (ROOT / "bench" / "cli" / f"{verb}.py").read_text()
    return ast.get_docstring(ast.parse(source), clean=False) or ""


def make_page() -> str:
    parts = [
        "# Verbs and options\n",
        "<!-- Made by `python -m tools.verbs_page` from the source; do not edit it by hand. -->\n",
        block(usage()),
        "`sambench VERB` is the same. Exit codes: 0 done, 1 a unit or a check failed, 2 a wrong "
        "request,\n130 interrupted.\n",
    ]
    for verb in VERBS:
        parts += [f"## {verb}\n", block(help_of(verb))]
    parts += [
        "## Options\n",
        "`key=value` changes any of these. Options of a method or dataset are in its card "
        "(`python -m bench show NAME`).\n",
    ]
    for title, name in OPTIONS.items():
        parts += [f"### {title}\n", block((ROOT / "bench" / "conf" / name).read_text(), "yaml")]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(make_page())
    print(f"wrote {PAGE.relative_to(ROOT)}")
