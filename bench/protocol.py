"""The numbers of the protocol. Changing what one of them means raises `VERSION`.

Records of different versions are never ranked together; `docs/protocol.md` states the rules.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = 1

DEFAULT_DRAWS: Final = 3
"""Draws that a request without `draw=` runs."""

UNLABELLED: Final = 255
"""Label value of a voxel that nobody labelled; never a class."""

NSD_TOLERANCE_MM: Final = 2.0
"""Boundary error that NSD counts as none: the low end of what the field uses for organs.

The FLARE challenge's evaluation uses 2 to 5 mm by organ, TotalSegmentator 3 mm for all. One
strict value keeps datasets comparable. Where the spacing is unknown it is 2 voxels.
"""

PROBE_PATIENTS: Final = 3
"""Patients whose Dice makes the probe curve: the split's `val`, else the draw's last training
patients. They are never in the support."""

PLATEAU_TOLERANCE: Final = 0.01
"""Converged: within this fraction of the plateau ..."""

PLATEAU_STAY: Final = 0.01
"""... and staying within this many Dice (one point) of it."""

TARGETS: Final = (0.5, 0.7, 0.8)
"""Dice levels whose first crossing is recorded."""
