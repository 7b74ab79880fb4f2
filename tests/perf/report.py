"""The benchmarks' JSON -> docs/performance.md: `python -m tests.perf.report IN OUT`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HEAD = """# Performance

Made by `make bench` (pytest-benchmark, `tests/perf`). Every figure is a ratio or a time of one run
on one machine, in which both sides took turns; absolute times of another machine will differ.

Machine: {machine}, Python {python}. Date: {date}.

Each row is a benchmark's own measure: *ratio* is the reference's time divided by ours, so more
than 1 means that ours is faster, unless the name says otherwise; `_s` are seconds.
"""


def page(data: dict[str, Any]) -> str:
    """One table a benchmark file, a row a measure."""
    info = data["machine_info"]
    machine = f"{info['cpu'].get('brand_raw', info['machine'])}, {info['cpu']['count']} cores"
    text = HEAD.format(
        machine=machine, python=info["python_version"], date=data["datetime"].partition("T")[0]
    )
    files: dict[str, list[dict[str, Any]]] = {}
    for benchmark in data["benchmarks"]:
        files.setdefault(benchmark["fullname"].partition("::")[0], []).append(benchmark)
    for file, benchmarks in sorted(files.items()):
        area = Path(file).stem.removeprefix("test_perf_")
        text += f"\n## {area}\n\n| benchmark | measure | value |\n| --- | --- | --- |\n"
        for benchmark in benchmarks:
            name = benchmark["name"].removeprefix("test_").replace("_", " ")
            for measure, value in benchmark["extra_info"].items():
                text += f"| {name} | {measure} | {value} |\n"
    return text


def main() -> None:
    source, target = (Path(word) for word in sys.argv[1:])
    target.write_text(page(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")
    print(f"wrote {target}")


if __name__ == "__main__":
    main()
