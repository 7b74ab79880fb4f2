"""DINOv2 and DINOv3, built from `timm`, loaded from their original checkpoints."""

from bench.models.dino.build import build_dino, make_dino

__all__ = ["build_dino", "make_dino"]
