"""The page of speed figures is what the benchmarks measured."""

from __future__ import annotations

from tests.perf.report import Row, page, split_measures


def test_a_ratio_and_its_sides_are_a_row() -> None:
    rows, rest = split_measures(
        {
            "time ratio": 1.5,
            "time ours_s": 2.0,
            "time package_s": 3.0,
            "CPU time ratio": 1.4,
            "CPU time ours ms/slice": 1.0,
            "CPU time package ms/slice": 1.4,
            "slices": 7,
            "peak ours_MiB": 5,
        }
    )
    assert rows == {
        "time": Row(ratio="1.5", ours="2.0 s", beside="package 3.0 s"),
        "CPU time": Row(ratio="1.4", ours="1.0 ms/slice", beside="package 1.4 ms/slice"),
    }
    assert rest == {"slices": 7, "peak ours_MiB": 5}  # a side without its ratio is no comparison


def test_the_page_has_a_section_a_file() -> None:
    machine = {"cpu": {"brand_raw": "Chip", "count": 2}, "machine": "x", "python_version": "3.11"}
    benchmarks = [
        {
            "fullname": "tests/perf/test_perf_store.py::test_slices",
            "name": "test_slices",
            "extra_info": {"epoch ratio": 6.2, "epoch ours_s": 0.1, "epoch other_s": 0.62, "n": 3},
        }
    ]
    first = {"machine_info": machine, "datetime": "2026-11-21T01:02:03", "benchmarks": benchmarks}
    other = [{**benchmarks[0], "fullname": "tests/perf/test_perf_zoo.py::test_slices"}]
    later = {**first, "datetime": "2026-12-01T01:02:03", "benchmarks": other}
    text = page([first, later])
    assert "## store\n\nChip, 2 cores, Python 3.11, 2026-11-21\n" in text
    assert "## zoo\n\nChip, 2 cores, Python 3.11, 2026-12-01\n" in text
    assert "| slices: epoch | 6.2 | 0.1 s | other 0.62 s |" in text
    assert "- slices: n 3" in text
