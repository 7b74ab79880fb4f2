"""SAM 2.1, built from the `sam2` package without its Hydra state."""

from bench.models.sam2.build import build_sam2, make_sam2

__all__ = ["build_sam2", "make_sam2"]
