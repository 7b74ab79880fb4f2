"""Every folder in which a harness could keep something."""

from __future__ import annotations

import tempfile
from pathlib import Path

import bench

from .method import Thief, own_paths, walk


class Method(Thief):
    def look(self, volume):
        cache = [] if self.setting.cache is None else [self.setting.cache]
        stores = [p.partition("/volumes/")[0] for p in own_paths() if "/volumes/" in p]
        home = Path.home() / ".cache" / "sambench"
        here = [Path.cwd(), Path.cwd().parent, tempfile.gettempdir()]
        checkout = Path(bench.__file__).resolve().parents[1]
        yield from walk([*cache, *stores, home, *here, checkout / "results"], volume)
