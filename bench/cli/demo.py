"""python -m bench demo [results=DIR] [key=value ...]

The main job on the embedded data: every method that is quick enough, 1 and 5 labelled patients,
half a minute of device time each. Ends with the table. Writes into .demo, never into the committed
results.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.cards import MethodCard
from bench.cli.run import run
from bench.device import usable_cores
from bench.errors import RequestError
from bench.registry import Registry, discover

DEFAULTS = {
    "shots": "1,5",
    "draw": "0",
    "budget": "cpu-30s",
    "backbone": "nano",
    "device": "cpu",
    "results": ".demo",
}
MOST_JOBS = 4
"""Units at once in the demo, on as many cores: a first look should be quick, and fit in memory."""


def quick_methods(registry: Registry) -> list[str]:
    """Available methods whose card does not say `demo: false`."""
    return [
        name
        for name, found in registry.methods.items()
        if found.problem is None and isinstance(found.card, MethodCard) and found.card.demo
    ]


def main(arguments: Sequence[str], include: tuple[Path, ...]) -> int:
    given = {word.partition("=")[0] for word in arguments}
    if "dataset" in given:
        raise RequestError("the demo has its own data; `run dataset=...` takes others")
    words = [f"{key}={value}" for key, value in DEFAULTS.items() if key not in given]
    if not any(key.startswith("executor") for key in given):
        words += [f"executor.jobs={min(MOST_JOBS, usable_cores())}", "executor.threads=1"]
    if "method" not in given:
        words.append(f"method={','.join(quick_methods(discover(include)))}")
    code = run([*words, *arguments], include, command="python -m bench demo")
    if code not in (0, 1):
        return code
    from bench.board import build, terminal

    folder = next((w.partition("=")[2] for w in arguments if w.startswith("results=")), ".demo")
    results = Path(folder)
    page = results / "leaderboard.md"
    build(results, leaderboard=page)
    Console().print(terminal(results))
    print(
        f"page: {page}   tables: {results / 'tables'}   figures: {results / 'figures'}\n"
        f"one record: python -m bench ls records results={results}; "
        f"python -m bench show KEY results={results}"
    )
    return code
