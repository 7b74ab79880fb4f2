"""The embedded dataset: thirty patients that are drawn, not downloaded."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from bench.contract import Copy, RawCase, Source
from bench.errors import DataError

from .draw import draw_patient, site_of

PATIENTS = 30


class Phantom:
    def __init__(self, options: SimpleNamespace, root: Path | None) -> None:
        """Takes no options, and needs no folder: `root` is not looked at."""

    def find(self) -> Copy:
        names = [f"patient{number + 1:02d}" for number in range(PATIENTS)]
        return Copy(
            layout="generated",
            root=None,
            sources=tuple(
                Source(case=name, patient=name, site=site_of(number).name)
                for number, name in enumerate(names)
            ),
        )

    def read(self, source: Source) -> RawCase:
        digits = source.case.removeprefix("patient")
        if not digits.isdecimal() or not 1 <= int(digits) <= PATIENTS:
            raise DataError(source.case, f"the phantom has patient01 to patient{PATIENTS}")
        patient = draw_patient(int(digits) - 1)
        return RawCase(image=patient.image, label=patient.label, spacing=patient.spacing)
