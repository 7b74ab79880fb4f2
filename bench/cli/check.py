"""python -m bench check method=NAME [method.OPTION=VALUE ...] [device=cpu] [backbone=nano]

The conformance suite on the embedded data: budgets, seeds, grids, leaks, odd volumes, reloading. A
table of pass and fail with the reason; exit code 1 if anything failed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.check.lab import Lab
from bench.check.printed import printing_into
from bench.check.suite import CHECKS, Suite, Verdict, verdicts
from bench.contract import Volume
from bench.data.ready import Ready, make_ready
from bench.device import resolve_device
from bench.errors import RequestError
from bench.registry import Registry, discover
from bench.request.compose import compose_demand
from bench.request.demand import Choice

STYLES = {"pass": "green", "fail": "bold red", "not asked": "dim"}
VOLUMES = 5


def main(arguments: Sequence[str], include: tuple[Path, ...]) -> int:
    for word in arguments:
        key = word.partition("=")[0]
        if key.split(".")[0] not in ("method", "backbone", "device") and key != "data.cache":
            raise RequestError(
                f"{word!r}: check takes method=, method.OPTION=, backbone=, device=, data.cache="
            )
    registry = discover(include)
    demand = compose_demand(arguments, registry, gpu=False)
    device = resolve_device("cpu" if demand.device == "auto" else demand.device)
    copy = make_ready(registry, demand.choices[0].dataset, {}, demand.data)
    failed = 0
    for choice in demand.choices:
        with tempfile.TemporaryDirectory(prefix="sambench-check-") as folder:
            suite = Suite(
                make_lab(
                    registry, choice, copy, Path(folder), device=device, cache=demand.data["cache"]
                )
            )
            found = show(choice.method, suite)
        failed += sum(verdict.outcome == "fail" for verdict in found)
    return 1 if failed else 0


def make_lab(
    registry: Registry,
    choice: Choice,
    copy: Ready,
    folder: Path,
    *,
    device: str,
    cache: str | None,
) -> Lab:
    """The first volumes of the default data that show every class."""
    every = len(copy.classes)
    chosen: list[Volume] = []
    for case in copy.store.manifest.cases:
        if len(case.classes) == every and len(chosen) < VOLUMES:
            chosen.append(copy.store.volume(case.case, with_label=True))
    return Lab(
        registry=registry,
        method=choice.method,
        options=choice.overrides,
        backbone=choice.backbone,
        folder=folder,
        volumes=tuple(chosen),
        classes=copy.classes,
        modality=copy.modality,
        device=device,
        cache=cache,
    )


def show(method: str, suite: Suite) -> list[Verdict]:
    """Runs the checks and prints them as a table. What the method prints is kept apart: of some it
    is hundreds of lines."""
    with tempfile.NamedTemporaryFile(
        prefix=f"sambench-check-{method}-", suffix=".log", delete=False
    ) as file:
        log = Path(file.name)
    found: list[Verdict] = []
    try:
        with (
            printing_into(log) as screen,
            Console(file=screen).status(f"{method}: {len(CHECKS)} checks"),
        ):
            found.extend(verdicts(suite))
    finally:
        if not log.stat().st_size:
            log.unlink()
    console = Console()
    table = Table(title=f"conformance of {method}", title_justify="left")
    table.add_column("it ...")
    table.add_column("")
    table.add_column("reason", overflow="fold")
    for verdict in found:
        style = STYLES[verdict.outcome]
        table.add_row(verdict.name, f"[{style}]{verdict.outcome}[/{style}]", escape(verdict.reason))
    console.print(table)
    passed = sum(verdict.outcome == "pass" for verdict in found)
    bad = sum(verdict.outcome == "fail" for verdict in found)
    print(f"{method}: {passed} passed, {bad} failed, {len(found) - passed - bad} not asked")
    if log.exists():
        print(f"what it printed: {log}")
    return found
