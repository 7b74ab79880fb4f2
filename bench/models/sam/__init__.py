"""SAM, built from `segment_anything`: any input size, published or small."""

from bench.models.sam.build import build_sam, make_sam

__all__ = ["build_sam", "make_sam"]
