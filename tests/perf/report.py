"""The benchmarks' JSON files -> docs/performance.md: `python -m tests.perf.report DIR OUT`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gpu.page import kept

HEAD = """# Performance

Made by `make bench` (pytest-benchmark on `tests/perf`; `tests/perf/report.py` writes this page).
Every ratio was taken in one run on one machine, both sides in turns. Absolute times are of that
machine and that load; another machine has others. One thread, unless OMP_NUM_THREADS was set.

`make gpu` adds a section for each machine with a GPU that it was run on (ten minutes at most):
speed and memory of the encoders and of training steps, and their share of what the card reaches.

*Ratio*: what stands beside us divided by ours. More than 1: ours is faster, or smaller.
"""

SIDE = re.compile(r"(.*?) ?\b(\S+)[_ ](s|ms|ms/slice|MiB)")
"""What a comparison is of, whose figure it is, its unit."""


@dataclass
class Row:
    """One comparison: a ratio and both its sides, as far as the benchmark names them."""

    ratio: str = ""
    ours: str = ""
    beside: str = ""


def page(runs: Sequence[Mapping[str, Any]]) -> str:
    """A section a benchmark file, in the order given."""
    return HEAD + "".join(section(run) for run in runs)


def section(run: Mapping[str, Any]) -> str:
    """Where and when it was measured; comparisons in a table, other figures in a list."""
    info, benchmarks = run["machine_info"], run["benchmarks"]
    machine = f"{info['cpu'].get('brand_raw', info['machine'])}, {info['cpu']['count']} cores"
    name = Path(benchmarks[0]["fullname"].partition("::")[0]).stem.removeprefix("test_perf_")
    day = run["datetime"].partition("T")[0]
    text = f"\n## {name}\n\n{machine}, Python {info['python_version']}, {day}\n"
    rows: list[str] = []
    others: list[str] = []
    for benchmark in benchmarks:
        name = benchmark["name"].removeprefix("test_").replace("_", " ")
        found, rest = split_measures(benchmark["extra_info"])
        for what, row in found.items():
            label = f"{name}: {what}" if what else name
            rows.append(f"| {label} | {row.ratio} | {row.ours} | {row.beside} |\n")
        if rest:
            figures = ", ".join(f"{measure} {value}" for measure, value in rest.items())
            others.append(f"- {name}: {figures}\n")
    if rows:
        text += "\n| benchmark | ratio | ours | beside |\n| --- | --- | --- | --- |\n"
        text += "".join(rows)
    if others:
        text += "\n" + "".join(others)
    return text


def split_measures(measures: Mapping[str, Any]) -> tuple[dict[str, Row], dict[str, Any]]:
    """ "x ratio", "x ours_s" and "x monai_s" make the row "x"; the rest stays as it is."""
    found = {
        measure.removesuffix("ratio").strip(): Row(ratio=str(value))
        for measure, value in measures.items()
        if measure.endswith("ratio")
    }
    rest: dict[str, Any] = {}
    for measure, value in measures.items():
        parts = SIDE.fullmatch(measure)
        if measure.endswith("ratio"):
            continue
        if parts is None or parts[1] not in found:
            rest[measure] = value
        elif parts[2] == "ours":
            found[parts[1]].ours = f"{value} {parts[3]}"
        else:
            row = found[parts[1]]
            row.beside = ", ".join(filter(None, [row.beside, f"{parts[2]} {value} {parts[3]}"]))
    return found, rest


def main() -> None:
    source, target = (Path(word) for word in sys.argv[1:])
    runs = [json.loads(file.read_text("utf-8")) for file in sorted(source.glob("test_perf_*.json"))]
    machines = kept(target.read_text("utf-8")) if target.is_file() else ""  # those of `make gpu`
    target.write_text(page(runs) + machines, encoding="utf-8")
    print(f"wrote {target}")


if __name__ == "__main__":
    main()
