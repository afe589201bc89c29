"""Arguments for the denoisers of the tiny pipelines, as their pipelines make them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Made = tuple[Tensor, dict[str, Any]]
T = 11
"""Text tokens."""


def sd(rows: int, size: tuple[int, int]) -> Made:
    return torch.randn(rows, 4, *size), {"timestep": torch.tensor(500), "encoder_hidden_states": torch.randn(rows, T, 32)}


def sdxl(rows: int, size: tuple[int, int]) -> Made:
    added = {"text_embeds": torch.randn(rows, 32), "time_ids": torch.randn(rows, 6)}
    text = torch.randn(rows, T, 64)
    return torch.randn(rows, 4, *size), {"timestep": torch.tensor(500), "encoder_hidden_states": text, "added_cond_kwargs": added}


def pixart(rows: int, size: tuple[int, int]) -> Made:
    return torch.randn(rows, 4, *size), {
        "timestep": torch.full((rows,), 500), "encoder_hidden_states": torch.randn(rows, T, 32),
        "encoder_attention_mask": torch.ones(rows, T), "added_cond_kwargs": {"resolution": None, "aspect_ratio": None},
    }  # fmt: skip


def sana(rows: int, size: tuple[int, int]) -> Made:
    text = {"encoder_hidden_states": torch.randn(rows, T, 32), "encoder_attention_mask": torch.ones(rows, T)}
    return torch.randn(rows, 4, *size), {"timestep": torch.full((rows,), 500.0)} | text


def hunyuandit(rows: int, size: tuple[int, int]) -> Made:
    from diffusers.models.embeddings import get_2d_rotary_pos_embed

    grid = size[0] // 2, size[1] // 2
    rotary = get_2d_rotary_pos_embed(8, ((0, 0), grid), grid, output_type="pt")
    return torch.randn(rows, 4, *size), {
        "timestep": torch.full((rows,), 500.0), "encoder_hidden_states": torch.randn(rows, 77, 32),
        "text_embedding_mask": torch.ones(rows, 77), "encoder_hidden_states_t5": torch.randn(rows, 256, 32),
        "text_embedding_mask_t5": torch.ones(rows, 256), "image_meta_size": torch.ones(rows, 6),
        "style": torch.zeros(rows, dtype=torch.long), "image_rotary_emb": rotary,
    }  # fmt: skip


def sd3(rows: int, size: tuple[int, int]) -> Made:
    text = {"encoder_hidden_states": torch.randn(rows, T, 64), "pooled_projections": torch.randn(rows, 64)}
    return torch.randn(rows, 4, *size), {"timestep": torch.full((rows,), 500.0)} | text


def flux(rows: int, size: tuple[int, int]) -> Made:
    height, width = size
    places = torch.zeros(height, width, 3)
    places[..., 1] += torch.arange(height)[:, None]
    places[..., 2] += torch.arange(width)
    return torch.randn(rows, height * width, 16), {
        "timestep": torch.full((rows,), 0.5), "encoder_hidden_states": torch.randn(rows, T, 32),
        "pooled_projections": torch.randn(rows, 32), "img_ids": places.reshape(-1, 3), "txt_ids": torch.zeros(T, 3), "guidance": None,
    }  # fmt: skip


def qwenimage(rows: int, size: tuple[int, int]) -> Made:
    return torch.randn(rows, size[0] * size[1], 16), {
        "timestep": torch.full((rows,), 0.5), "encoder_hidden_states": torch.randn(rows, T, 32), "img_shapes": [[(1, *size)]],
    }  # fmt: skip


def cogview4(rows: int, size: tuple[int, int]) -> Made:
    sizes = {name: torch.tensor([[32, 32]]).expand(rows, -1) for name in ("original_size", "target_size", "crop_coords")}
    return torch.randn(rows, 4, *size), {"timestep": torch.full((rows,), 500.0), "encoder_hidden_states": torch.randn(rows, T, 32)} | sizes


INPUTS: dict[str, Callable[[int, tuple[int, int]], Made]] = {
    "sd": sd, "sdxl": sdxl, "pixart": pixart, "sana": sana, "hunyuandit": hunyuandit, "sd3": sd3, "flux": flux, "qwenimage": qwenimage,
    "cogview4": cogview4,
}  # fmt: skip
