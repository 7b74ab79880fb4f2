"""The three nano networks, built from the packages' own classes, with random weights."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam
from segment_anything.modeling import TwoWayTransformer as SamTransformer
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from bench.models.nano import sizes


def build_sam(size: dict[str, Any] | None = None) -> Sam:
    """Segment Anything, small, in training mode."""
    s = size or sizes.SAM
    grid = s["image_size"] // s["patch_size"]
    width = s["prompt_embed_dim"]
    encoder = ImageEncoderViT(
        img_size=s["image_size"],
        patch_size=s["patch_size"],
        embed_dim=s["embed_dim"],
        depth=s["depth"],
        num_heads=s["num_heads"],
        mlp_ratio=s["mlp_ratio"],
        out_chans=width,
        qkv_bias=True,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=s["window_size"],
        global_attn_indexes=s["global_attn_indexes"],
    )
    prompts = PromptEncoder(
        embed_dim=width,
        image_embedding_size=(grid, grid),
        input_image_size=(s["image_size"], s["image_size"]),
        mask_in_chans=s["mask_in_chans"],
    )
    decoder = MaskDecoder(
        transformer_dim=width,
        transformer=SamTransformer(
            depth=s["decoder_depth"],
            embedding_dim=width,
            num_heads=s["decoder_num_heads"],
            mlp_dim=s["decoder_mlp_dim"],
        ),
        num_multimask_outputs=3,
        iou_head_depth=s["iou_head_depth"],
        iou_head_hidden_dim=s["iou_head_hidden_dim"],
    )
    return Sam(encoder, prompts, decoder, list(s["pixel_mean"]), list(s["pixel_std"]))


def build_sam2(size: dict[str, Any] | None = None) -> nn.Module:
    """SAM 2.1's SAM2Base with memory, object pointers and object score, small, training mode."""
    # Imported here: the package touches Hydra's global state when it is imported.
    from sam2.modeling.backbones.hieradet import Hiera
    from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
    from sam2.modeling.memory_attention import MemoryAttention, MemoryAttentionLayer
    from sam2.modeling.memory_encoder import CXBlock, Fuser, MaskDownSampler, MemoryEncoder
    from sam2.modeling.position_encoding import PositionEmbeddingSine
    from sam2.modeling.sam.transformer import RoPEAttention
    from sam2.modeling.sam2_base import SAM2Base

    s = size or sizes.SAM2
    width, memory = s["d_model"], s["memory_dim"]
    trunk = Hiera(
        embed_dim=s["embed_dim"],
        num_heads=s["num_heads"],
        stages=tuple(s["stages"]),
        global_att_blocks=tuple(s["global_att_blocks"]),
        window_pos_embed_bkg_spatial_size=tuple(s["window_pos_embed_bkg_spatial_size"]),
        window_spec=tuple(s["window_spec"]),
    )
    neck = FpnNeck(
        position_encoding=PositionEmbeddingSine(num_pos_feats=width, normalize=True),
        d_model=width,
        backbone_channel_list=list(s["backbone_channel_list"]),
        fpn_top_down_levels=list(s["fpn_top_down_levels"]),
        fpn_interp_model="nearest",
    )
    rope = partial(
        RoPEAttention,
        rope_theta=10000.0,
        feat_sizes=tuple(s["feat_sizes"]),
        embedding_dim=width,
        num_heads=1,
        downsample_rate=1,
        dropout=0.0,
    )
    layer = MemoryAttentionLayer(
        activation="relu",
        d_model=width,
        dim_feedforward=s["memory_feedforward"],
        dropout=0.0,
        pos_enc_at_attn=False,
        pos_enc_at_cross_attn_keys=True,
        pos_enc_at_cross_attn_queries=False,
        self_attention=rope(),
        cross_attention=rope(rope_k_repeat=True, kv_in_dim=memory),
    )
    memory_encoder = MemoryEncoder(
        in_dim=width,
        out_dim=memory,
        mask_downsampler=MaskDownSampler(embed_dim=width, kernel_size=3, stride=2, padding=1),
        fuser=Fuser(
            CXBlock(dim=width, layer_scale_init_value=s["fuser_scale"]),
            num_layers=s["fuser_layers"],
        ),
        position_encoding=PositionEmbeddingSine(num_pos_feats=memory, normalize=True),
    )
    return SAM2Base(
        image_encoder=ImageEncoder(trunk=trunk, neck=neck, scalp=1),
        memory_attention=MemoryAttention(
            d_model=width,
            pos_enc_at_input=True,
            layer=layer,
            num_layers=s["memory_attention_layers"],
        ),
        memory_encoder=memory_encoder,
        image_size=s["image_size"],
        backbone_stride=16,
        sigmoid_scale_for_mem_enc=20.0,
        sigmoid_bias_for_mem_enc=-10.0,
        use_mask_input_as_output_without_sam=True,
        directly_add_no_mem_embed=True,
        no_obj_embed_spatial=True,
        use_high_res_features_in_sam=True,
        multimask_output_in_sam=True,
        iou_prediction_use_sigmoid=True,
        use_obj_ptrs_in_encoder=True,
        add_tpos_enc_to_obj_ptrs=True,
        proj_tpos_enc_in_obj_ptrs=True,
        use_signed_tpos_enc_to_obj_ptrs=True,
        only_obj_ptrs_in_the_past_for_eval=True,
        pred_obj_scores=True,
        pred_obj_scores_mlp=True,
        fixed_no_obj_ptr=True,
        multimask_output_for_tracking=True,
        use_multimask_token_for_obj_ptr=True,
        multimask_min_pt_num=0,
        multimask_max_pt_num=1,
        use_mlp_for_obj_ptr_proj=True,
    )


def build_dino(size: dict[str, Any] | None = None) -> VisionTransformer:
    """A vision transformer whose normalised class token is the image's embedding."""
    arguments = dict(size or sizes.DINO)
    del arguments["pixel_mean"], arguments["pixel_std"]
    return VisionTransformer(**arguments)


BUILDERS = {"sam": build_sam, "sam2": build_sam2, "dino": build_dino}
SIZES = {"sam": sizes.SAM, "sam2": sizes.SAM2, "dino": sizes.DINO}


def normalised(images: Tensor, size: dict[str, Any]) -> Tensor:
    """Grey images (N, 1, H, W) in [0, 1] as the three normalised channels a network expects."""
    scale = 255.0 if max(size["pixel_mean"]) > 1 else 1.0
    mean = torch.tensor(size["pixel_mean"], device=images.device)[:, None, None] / scale
    std = torch.tensor(size["pixel_std"], device=images.device)[:, None, None] / scale
    return (images - mean) / std
