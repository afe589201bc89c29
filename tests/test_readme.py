"""The README's Python runs as it stands."""

import pytest
import torch

import infsplign
from tests import tiny
from tests.pages import Page

BLOCKS = Page("README.md").blocks


def surroundings() -> dict:
    """What the README's snippets take for granted."""
    pipe = tiny.sd()
    pipe.set_progress_bar_config(disable=True)
    prompt = "a lamp above a red chair"
    embeddings, _ = pipe.encode_prompt("a cat to the left of a dog", "cpu", 1, False)
    return {
        "infsplign": infsplign, "pipe": pipe, "prompt": prompt, "unet": pipe.unet, "latents": torch.randn(1, 4, 16, 16),
        "timesteps": [500, 300], "uncond": torch.zeros(1, 4, 16, 16), "embeddings": embeddings,
    }  # fmt: skip


def test_there_are_snippets():
    assert len(BLOCKS) >= 3


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_snippet_runs(number):
    exec(compile(BLOCKS[number], f"README block {number}", "exec"), surroundings())
