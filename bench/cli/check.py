"""python -m bench check method=NAME [method.OPTION=VALUE ...] [device=cpu] [backbone=nano]
                      [check.limit=SECONDS]

The conformance suite on the embedded data: budgets, seeds, grids, leaks, odd volumes, reloading. A
table of pass and fail with the reason; exit code 1 if anything failed.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.check.lab import Lab
from bench.check.printed import printing_into
from bench.check.suite import CHECKS, Suite, Verdict, verdicts
from bench.check.workers import ReusedWorker
from bench.contract import Volume
from bench.data.ready import Ready, make_ready
from bench.device import resolve_device
from bench.errors import RequestError
from bench.registry import Registry, discover
from bench.request.compose import compose_demand
from bench.request.demand import Choice
from bench.unit.watch import Limits

STYLES = {"pass": "green", "fail": "bold red", "not asked": "dim"}
VOLUMES = 5
LIMIT = 1800.0
"""Seconds for all checks of one method."""
ANSWER = 300.0
"""Seconds in which a method answers: one step, one prediction."""


def main(arguments: Sequence[str], include: tuple[Path, ...]) -> int:
    limit, arguments = _limit(arguments)
    for word in arguments:
        key = word.partition("=")[0]
        if key.split(".")[0] not in ("method", "backbone", "device") and key != "data.cache":
            raise RequestError(
                f"{word!r}: check takes method=, method.OPTION=, backbone=, device=, data.cache=, "
                "check.limit="
            )
    registry = discover(include)
    demand = compose_demand(arguments, registry, gpu=False)
    device = resolve_device("cpu" if demand.device == "auto" else demand.device)
    copy = make_ready(registry, demand.choices[0].dataset, {}, demand.data)
    failed = 0
    for choice in demand.choices:
        with tempfile.TemporaryDirectory(prefix="sambench-check-") as name:
            folder = Path(name)
            until = (time.monotonic() + limit, f"the {limit:.0f} s of the check (check.limit)")
            with ReusedWorker(folder, Limits(answer=ANSWER, until=until)) as workers:
                lab = make_lab(
                    registry, choice, copy, folder, device=device, cache=demand.data["cache"]
                )
                found = show(choice.method, Suite(replace(lab, workers=workers)))
        failed += sum(verdict.outcome == "fail" for verdict in found)
    return 1 if failed else 0


def _limit(arguments: Sequence[str]) -> tuple[float, list[str]]:
    """Seconds for all checks of a method, and the other arguments."""
    limit, others = LIMIT, []
    for word in arguments:
        key, _, value = word.partition("=")
        if key != "check.limit":
            others.append(word)
            continue
        try:
            limit = float(value)
        except ValueError:
            limit = 0.0
        if not 0 < limit < float("inf"):
            raise RequestError(f"check.limit={value}: a number of seconds above 0")
    return limit, others


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
