"""The sizes of the nano networks: the one place that says them.

Keys are the argument names of the packages' own classes. The checkpoint cards read them from here.
"""

from __future__ import annotations

from typing import Any

# segment_anything: ImageEncoderViT, PromptEncoder, MaskDecoder, TwoWayTransformer.
SAM: dict[str, Any] = {
    "image_size": 128,
    "patch_size": 8,
    "embed_dim": 192,
    "depth": 6,
    "num_heads": 6,
    "mlp_ratio": 3.0,
    "global_attn_indexes": (1, 3, 5),
    "window_size": 8,
    "prompt_embed_dim": 128,
    "mask_in_chans": 16,
    "decoder_depth": 2,
    "decoder_mlp_dim": 512,
    "decoder_num_heads": 8,
    "iou_head_hidden_dim": 128,
    "iou_head_depth": 3,
    "pixel_mean": (123.675, 116.28, 103.53),
    "pixel_std": (58.395, 57.12, 57.375),
}

# sam2: Hiera, FpnNeck, MemoryAttention, MemoryEncoder, SAM2Base.
SAM2: dict[str, Any] = {
    "image_size": 256,
    "embed_dim": 24,
    "num_heads": 1,
    "stages": (1, 2, 4, 1),
    "global_att_blocks": (4, 6),
    "window_pos_embed_bkg_spatial_size": (7, 7),
    "window_spec": (8, 4, 8, 4),
    "d_model": 64,
    "backbone_channel_list": (192, 96, 48, 24),
    "fpn_top_down_levels": (2, 3),
    "memory_dim": 32,
    "memory_attention_layers": 2,
    "memory_feedforward": 256,
    "feat_sizes": (16, 16),
    "fuser_layers": 2,
    "fuser_scale": 0.1,
    "pixel_mean": (0.485, 0.456, 0.406),
    "pixel_std": (0.229, 0.224, 0.225),
}

# timm: VisionTransformer.
DINO: dict[str, Any] = {
    "img_size": 128,
    "patch_size": 8,
    "embed_dim": 192,
    "depth": 6,
    "num_heads": 3,
    "mlp_ratio": 3.0,
    "init_values": None,
    "num_classes": 0,
    "dynamic_img_size": True,
    "pixel_mean": (0.485, 0.456, 0.406),
    "pixel_std": (0.229, 0.224, 0.225),
}
