"""python -m bench demo [results=DIR] [key=value ...]

The main job on the embedded data: every method that is quick enough, 1 and 5 labelled patients,
half a minute of device time each. Ends with the table and the report's path. Writes into .demo,
never into the committed results. Its data are drawn, so the report holds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.cards import MethodCard
from bench.cli.report import make_report
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
    "keep": "predictions",
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

    values = {key: value for key, _, value in (word.partition("=") for word in arguments)}
    results = Path(values.get("results", ".demo"))
    page = results / "leaderboard.md"
    built = build(results, leaderboard=page)
    Console().print(terminal(built.units))
    print(
        f"page: {page}   tables: {results / 'tables'}   figures: {results / 'figures'}\n"
        f"one record: python -m bench ls records results={results}; "
        f"python -m bench show KEY results={results}"
    )
    data = {"root": values.get("data.root"), "cache": values.get("data.cache")}
    summary = make_report(results, results / "report.html", include, images=True, data=data)
    for problem in summary.problems:
        print(f"not shown: {problem}")
    print(f"report: {summary.path.resolve()}")
    return code
