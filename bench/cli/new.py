"""python -m bench new method NAME [into=DIR]
python -m bench new dataset NAME [into=DIR]

Writes a skeleton that already works, with its test: into the own methods/ or datasets/ and tests/
of the suite, or with `into` a folder DIR/NAME of your own, to be used with --include DIR.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from string import Template

from bench.cli.words import read_words
from bench.errors import RequestError, unknown
from bench.registry import ROOT, discover

TEMPLATES = Path(__file__).resolve().parent / "templates"
KINDS = ("method", "dataset")


def main(arguments: Sequence[str], include: tuple[Path, ...]) -> int:
    words = read_words(arguments, keys=["into"])
    if len(words.plain) != 2:
        raise RequestError("say what to make: new method NAME, or new dataset NAME")
    kind, name = words.plain
    if kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise RequestError(f"{name!r}: a name is lower-case letters, digits and underscores")
    registry = discover(include)
    if name in (registry.methods if kind == "method" else registry.datasets):
        raise RequestError(f"there is a {kind} called {name!r} already; choose another name")
    into = words.keys.get("into")
    for path in write_skeleton(kind, name, None if into is None else Path(into).expanduser()):
        print(f"wrote {path}")
    extra = f" --include {into}" if into else ""
    if kind == "method":
        print(f"now: python -m bench check method={name}{extra}")
    else:
        print(f"now: python -m bench prepare dataset={name} data.root=DIR{extra}")
    return 0


def write_skeleton(kind: str, name: str, into: Path | None) -> list[Path]:
    """The files, nothing overwritten. `into` None: the suite's own tree."""
    folder = (ROOT / f"{kind}s" if into is None else into) / name
    if folder.exists():
        raise RequestError(f"{folder} is there already; nothing was written")
    test = (
        ROOT / "tests" / f"{kind}s" / f"test_{name}.py"
        if into is None
        else folder / f"test_{name}.py"
    )
    words = {
        "name": name,
        "title": name.replace("_", " "),
        "cls": "".join(part.capitalize() for part in name.split("_")),
        "include": "" if into is None else "[Path(__file__).resolve().parent]",
    }
    written: list[Path] = []
    for template in sorted((TEMPLATES / kind).glob("*.tmpl")):
        target = test if template.stem == "test.py" else folder / template.stem
        target.parent.mkdir(parents=True, exist_ok=True)
        text = Template(template.read_text(encoding="utf-8")).substitute(words)
        target.write_text(text, encoding="utf-8")
        written.append(target)
    return written
