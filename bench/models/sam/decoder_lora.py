"""LoRA in the transformer of SAM's mask decoder, as SAMed_s has it: q and v of every attention."""

from __future__ import annotations

from peft import LoraConfig, inject_adapter_in_model
from segment_anything.modeling import TwoWayTransformer


def add_decoder_lora(transformer: TwoWayTransformer, *, rank: int = 4) -> None:
    """In place; the transformer is frozen, the adapter trainable. B A x is added as it is."""
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=["q_proj", "v_proj"])
    inject_adapter_in_model(config, transformer)
