"""The command line: one file a verb. Nothing heavy is imported before its verb is known."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import __version__
from bench.errors import RequestError, unknown

VERBS = {
    "run": "run units and record them: method=... dataset=... shots=1,5 [key=value ...]",
    "status": "how the sweeps of a results folder go: queued, running, done, failed [--once]",
    "demo": "the main job on the embedded data, small budget; ends with the table",
    "ls": "list methods, datasets, budgets, backbones or records [--json]",
    "show": "one method, dataset, budget, backbone, or one record by its key",
    "prepare": "download, verify and convert: dataset=... or backbone=...",
    "predict": "label a new image with an adapted method: record=KEY IMAGE out=FILE",
    "evaluate": "scores of any two label maps, or of a folder of each: PRED REF [out=FILE.csv]",
    "check": "the conformance suite on a method: method=...",
    "new": "a working skeleton: method NAME, or dataset NAME",
    "board": "tables, figures and leaderboard.md from the records [results=DIR]",
    "report": "one HTML file to read: tables, figures, cases, failures [results=DIR] [out=FILE]",
    "compare": "two methods or two records, paired, in a plain sentence",
    "diff": "what differs between two records: data, split, config, versions, machine",
    "doctor": "what this machine has: torch, device, memory, data, disk",
}

WRONG_REQUEST = 2
INTERRUPTED = 130

OF_THE_MACHINE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EIO, errno.ENOMEM),
}
"""Errors of a disk or a machine that no code can mend."""


def usage() -> str:
    lines = [
        "sambench: which way of adapting SAM to use when only a few medical volumes are labelled.",
        "",
        "usage: python -m bench VERB [key=value ...] [--include PATH]",
        "",
        *(f"  {verb:<9}{what}" for verb, what in VERBS.items()),
        "",
        "first:   python -m bench demo",
        "then:    python -m bench run method=unet,control_atlas dataset=phantom shots=1,5",
        "help:    python -m bench VERB --help",
    ]
    return "\n".join(lines)


def take_includes(words: Sequence[str]) -> tuple[list[str], tuple[Path, ...]]:
    """The words without `--include PATH`, and the paths."""
    rest: list[str] = []
    paths: list[Path] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word == "--include":
            if not queue:
                raise RequestError("--include needs a folder: --include PATH")
            paths.append(Path(queue.pop(0)))
        elif word.startswith("--include="):
            paths.append(Path(word.removeprefix("--include=")))
        else:
            rest.append(word)
    return rest, tuple(path.expanduser() for path in paths)


def dispatch(words: Sequence[str]) -> int:
    rest, include = take_includes(words)
    if not rest or rest[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if rest else WRONG_REQUEST
    if rest[0] == "--version":
        print(f"sambench {__version__}")
        return 0
    verb, arguments = rest[0], rest[1:]
    if verb not in VERBS:
        raise unknown("verb", verb, VERBS)
    module = importlib.import_module(f"bench.cli.{verb}")
    if "-h" in arguments or "--help" in arguments:
        print(str(module.__doc__).strip())
        return 0
    code: int = module.main(arguments, include)
    return code


def entry(words: Sequence[str] | None = None) -> int:
    """0 done, 1 a unit or check failed, 2 a wrong request, 130 interrupted."""
    try:
        return dispatch(sys.argv[1:] if words is None else words)
    except RequestError as error:
        print(f"sambench: {error}", file=sys.stderr)
        return WRONG_REQUEST
    except BrokenPipeError:  # `ls | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in OF_THE_MACHINE:
            raise
        print(f"sambench: {error}; make room, or choose another folder", file=sys.stderr)
        return WRONG_REQUEST
    except KeyboardInterrupt:
        print("sambench: stopped", file=sys.stderr)
        return INTERRUPTED
