"""The kit on sources that are right, and on sources with one fault each: the message must name the fault."""

from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from infsplign.adapters import AttentionRecorder
from infsplign.core.attention import AttentionMap, QueryKeyAttention
from infsplign.testing import check_attention_source

WIDTH, PATCH, T = 16, 2, 7


class Block(nn.Module):
    """Joint attention over `[image; text]`, or cross-attention from image to text."""

    def __init__(self, joint):
        super().__init__()
        self.joint = joint
        self.norm, self.attend, self.mlp = nn.LayerNorm(WIDTH), nn.Identity(), nn.Linear(WIDTH, WIDTH)
        self.to_query, self.to_key, self.to_value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.core = Core()

    def forward(self, image, text):
        both = torch.cat([image, text], 1)
        queries, keys = (both, both) if self.joint else (image, text)
        q, k, v = self.to_query(self.norm(queries)), self.to_key(self.norm(keys)), self.to_value(self.norm(keys))
        out = queries + self.core(*(x.unflatten(-1, (2, -1)).transpose(1, 2) for x in (q, k, v)))
        out = out + self.mlp(out).tanh()
        return (out[:, : image.shape[1]], out[:, image.shape[1] :]) if self.joint else (out, text)


class Core(nn.Module):
    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(2 * q, k, v).transpose(1, 2).flatten(2)


class Transformer(nn.Module):
    def __init__(self, joint=True):
        super().__init__()
        self.patches = nn.Conv2d(4, WIDTH, PATCH, PATCH)
        self.time, self.text = nn.Linear(1, WIDTH), nn.Linear(8, WIDTH)
        self.blocks = nn.ModuleList(Block(joint) for _ in range(3))
        self.out = nn.ConvTranspose2d(WIDTH, 4, PATCH, PATCH)
        self.unused = nn.Linear(1, 1)

    def forward(self, x, t, encoder_hidden_states):
        grid = self.patches(x)
        image = grid.flatten(2).transpose(1, 2) + self.time(t[:, None, None])
        text = self.text(encoder_hidden_states)
        for block in self.blocks:
            image, text = block(image, text)
        return self.out(image.transpose(1, 2).unflatten(2, grid.shape[2:]))
