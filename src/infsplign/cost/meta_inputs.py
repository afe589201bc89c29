"""Arguments of a denoiser on the meta device, which have shapes but no memory, for counting the cost of a pass."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Size(NamedTuple):
    """The size of a pass: rows, height and width of the latents, text tokens, dtype."""

    rows: int
    height: int
    width: int
    text: int
    dtype: torch.dtype = torch.float32

    def empty(self, *shape: int) -> Tensor:
        return torch.empty(shape, dtype=self.dtype, device="meta")

    def packed(self, patch: int = 2) -> tuple[int, int]:
        """Returns the grid of latents that are cut into patches before they reach the denoiser."""
        return self.height // patch, self.width // patch


Call = tuple[Tensor, dict[str, Any]]


def _unet(config: Any, size: Size) -> Call:
    width = config.encoder_hid_dim if config.encoder_hid_dim_type == "text_proj" else config.cross_attention_dim
    kwargs: dict[str, Any] = {"timestep": size.empty(), "encoder_hidden_states": size.empty(size.rows, size.text, width)}
    if config.addition_embed_type == "text_time":
        pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        kwargs["added_cond_kwargs"] = {"text_embeds": size.empty(size.rows, pooled), "time_ids": size.empty(size.rows, 6)}
    return size.empty(size.rows, config.in_channels, size.height, size.width), kwargs


def _masked_t5(config: Any, size: Size) -> Call:
    text = size.empty(size.rows, size.text, config.caption_channels)
    kwargs = {"timestep": size.empty(size.rows), "encoder_hidden_states": text, "encoder_attention_mask": size.empty(size.rows, size.text)}
    return size.empty(size.rows, config.in_channels, size.height, size.width), kwargs


def _pixart(config: Any, size: Size) -> Call:
    sample, kwargs = _masked_t5(config, size)
    more = config.sample_size == 128 if config.use_additional_conditions is None else config.use_additional_conditions
    added = {"resolution": size.empty(size.rows, 2), "aspect_ratio": size.empty(size.rows, 1)}
    return sample, kwargs | {"added_cond_kwargs": added if more else dict.fromkeys(added)}


def _hunyuandit(config: Any, size: Size) -> Call:
    rows, (height, width) = size.rows, size.packed(config.patch_size)
    clip, t5 = size.empty(rows, 77, config.cross_attention_dim), size.empty(rows, config.text_len_t5, config.cross_attention_dim_t5)
    return size.empty(rows, config.in_channels, size.height, size.width), {
        "timestep": size.empty(rows), "encoder_hidden_states": clip, "text_embedding_mask": size.empty(rows, 77),
        "encoder_hidden_states_t5": t5, "text_embedding_mask_t5": size.empty(rows, config.text_len_t5),
        "image_meta_size": size.empty(rows, 6), "style": size.empty(rows).long(),
        "image_rotary_emb": (size.empty(height * width, config.attention_head_dim),) * 2,
    }  # fmt: skip


def _sd3(config: Any, size: Size) -> Call:
    text = size.empty(size.rows, size.text, config.joint_attention_dim)
    kwargs = {"timestep": size.empty(size.rows), "encoder_hidden_states": text}
    kwargs["pooled_projections"] = size.empty(size.rows, config.pooled_projection_dim)
    return size.empty(size.rows, config.in_channels, size.height, size.width), kwargs


def _flux(config: Any, size: Size) -> Call:
    height, width = size.packed()
    text = {"encoder_hidden_states": size.empty(size.rows, size.text, config.joint_attention_dim), "txt_ids": size.empty(size.text, 3)}
    pooled = {"pooled_projections": size.empty(size.rows, config.pooled_projection_dim), "img_ids": size.empty(height * width, 3)}
    steps = {"timestep": size.empty(size.rows), "guidance": size.empty(size.rows) if config.guidance_embeds else None}
    return size.empty(size.rows, height * width, config.in_channels), steps | text | pooled


def _qwenimage(config: Any, size: Size) -> Call:
    height, width = size.packed()
    text = size.empty(size.rows, size.text, config.joint_attention_dim)
    kwargs = {"timestep": size.empty(size.rows), "encoder_hidden_states": text, "img_shapes": [[(1, height, width)]] * size.rows}
    return size.empty(size.rows, height * width, config.in_channels), kwargs


def _cogview4(config: Any, size: Size) -> Call:
    text = {"timestep": size.empty(size.rows), "encoder_hidden_states": size.empty(size.rows, size.text, config.text_embed_dim)}
    sizes = {name: size.empty(size.rows, 2) for name in ("original_size", "target_size", "crop_coords")}
    return size.empty(size.rows, config.in_channels, size.height, size.width), text | sizes


CALLS: Mapping[str, Callable[[Any, Size], Call]] = {
    "UNet2DConditionModel": _unet,
    "PixArtTransformer2DModel": _pixart,
    "SanaTransformer2DModel": _masked_t5,
    "HunyuanDiT2DModel": _hunyuandit,
    "SD3Transformer2DModel": _sd3,
    "FluxTransformer2DModel": _flux,
    "QwenImageTransformer2DModel": _qwenimage,
    "CogView4Transformer2DModel": _cogview4,
}
"""A denoiser's class to its arguments."""


def meta_call(denoiser: Any, size: Size) -> Call:
    """Makes the first argument and the keyword arguments of a denoiser, on the meta device.

    Raises:
        ValueError: no such class is known.
    """
    for base in type(denoiser).__mro__:
        if base.__name__ in CALLS:
            return CALLS[base.__name__](denoiser.config, size)
    raise ValueError(f"`denoiser` must be one of {', '.join(CALLS)}, got {type(denoiser).__name__}")
