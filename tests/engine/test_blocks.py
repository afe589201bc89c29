"""Blocks that run again, on a denoiser of two small blocks: which they are, and what their second run finds."""

from contextvars import ContextVar

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from infsplign.engine import checkpointing
from infsplign.engine.block_state import BlockState
from infsplign.engine.checkpointing import blocks, checkpointed, in_checkpoint

PROMPT = ContextVar("PROMPT", default="none")
RUNS = []
"""What each run of a block found; not an attribute of it, which would be restored."""


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.scale = nn.Linear(3, 3), 2.0

    def forward(self, x, factor=1.0, generator=None):
        drawn = 1.0 if generator is None else torch.rand((), generator=generator).item()
        RUNS.append((self.scale, factor, drawn, in_checkpoint.get(), PROMPT.get()))
        return torch.sin(self.linear(x)) * self.scale * factor * drawn


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.blocks = nn.ModuleList([Block(), Block()])

    def forward(self, x, **kwargs):
        for block in self.blocks:
            x = block(x, **kwargs)
        return x


@pytest.fixture(autouse=True)
def no_runs():
    RUNS.clear()


def sample():
    return torch.linspace(-1, 1, 6).reshape(2, 3).requires_grad_()


def expected(**kwargs):
    x = sample()
    (gradient,) = torch.autograd.grad(Denoiser()(x, **kwargs).sum(), x)
    RUNS.clear()
    return gradient


def test_a_block_runs_again_as_it_ran_first_though_all_has_changed_since():
    denoiser, x = Denoiser(), sample()
    with checkpointed(denoiser):
        assert all("forward" in vars(block) for block in denoiser.blocks)
        token = PROMPT.set("a cat")
        output = denoiser(x, factor=0.5, generator=torch.Generator().manual_seed(1))
        PROMPT.reset(token)
    assert not any("forward" in vars(block) for block in denoiser.blocks)
    first, second = RUNS
    for block in denoiser.blocks:
        block.scale = 7.0
    (gradient,) = torch.autograd.grad(output.sum(), x)
    assert [first, second, second, first] == RUNS  # backwards, the last block is the first one
    assert [run[0] for run in RUNS] == [2.0] * 4
    assert all(run[3:] == (True, "a cat") for run in RUNS)
    assert first[2] != second[2]
    torch.testing.assert_close(gradient, expected(factor=0.5, generator=torch.Generator().manual_seed(1)))
    assert [block.scale for block in denoiser.blocks] == [7.0, 7.0]
    assert in_checkpoint.get() is False


def test_nothing_runs_again_without_a_plan_or_without_a_graph():
    denoiser, x = Denoiser(), sample()
    with checkpointed(denoiser, plan=False):
        torch.autograd.grad(denoiser(x).sum(), x)
    assert len(RUNS) == 2
    RUNS.clear()
    with checkpointed(denoiser), torch.no_grad():
        assert not denoiser(x).requires_grad
    assert [run[3] for run in RUNS] == [False, False]


def test_an_error_in_a_block_leaves_nothing_behind():
    denoiser = Denoiser()
    with pytest.raises(RuntimeError, match="mat1 and mat2"), checkpointed(denoiser):
        denoiser(torch.zeros(2, 4, requires_grad=True))
    assert in_checkpoint.get() is False
    assert not any("forward" in vars(block) for block in denoiser.blocks)


HANDED = {
    "the block": lambda block: block,
    "its method": lambda block: block.forward,
    "a function": lambda block: lambda *args, **kwargs: block(*args, **kwargs),
}


@pytest.mark.parametrize("handed", HANDED.values(), ids=HANDED)
@pytest.mark.parametrize("name", ["_gradient_checkpointing_func", "checkpoint_fn"])
@pytest.mark.parametrize("plan", [False, True])
def test_a_denoiser_that_checkpoints_by_itself_finds_its_state_again(name, handed, plan, monkeypatch):
    """diffusers hands its function the block, or a function that runs it; torch's wrapper has one by another name. The state of the block
    alone is saved, or of the whole denoiser where nobody can tell which block a function runs."""
    saved = []
    monkeypatch.setattr(checkpointing, "BlockState", lambda block, *args: saved.append(block) or BlockState(block, *args))

    class Own(Denoiser):
        def __init__(self):
            super().__init__()
            self.gradient_checkpointing = True
            setattr(self, name, self.again)

        @staticmethod
        def again(run, *args, **kwargs):
            return checkpoint(run, *args, use_reentrant=False, **kwargs)

        def forward(self, x, **kwargs):
            for block in self.blocks:
                x = getattr(self, name)(handed(block), x, **kwargs)
            return x

    denoiser, x = Own(), sample()
    own = getattr(denoiser, name)
    with checkpointed(denoiser, plan=plan):
        assert getattr(denoiser, name) is not own
        assert not any("forward" in vars(block) for block in denoiser.blocks)
        token = PROMPT.set("a cat")
        output = denoiser(x, factor=0.5, generator=torch.Generator().manual_seed(1))
        PROMPT.reset(token)
    assert getattr(denoiser, name) is own
    told = handed(denoiser.blocks[0]) is denoiser.blocks[0] or hasattr(handed(denoiser.blocks[0]), "__self__")
    assert saved == (list(denoiser.blocks) if told else [denoiser] * 2)
    for block in denoiser.blocks:
        block.scale = 7.0
    (gradient,) = torch.autograd.grad(output.sum(), x)
    assert [RUNS[0], RUNS[1], RUNS[1], RUNS[0]] == RUNS
    assert all(run[3:] == (True, "a cat") for run in RUNS)
    torch.testing.assert_close(gradient, expected(factor=0.5, generator=torch.Generator().manual_seed(1)))


class Part(nn.Module):
    def __init__(self, *parts):
        super().__init__()
        self.parts = nn.ModuleList(parts)


class Wide(Part): ...


class Whole(Part): ...


def test_blocks_are_the_innermost_of_those_that_must_not_be_split():
    narrow, other = Part(), Part(nn.Linear(1, 1))
    whole = Whole(Wide(narrow, nn.Linear(1, 1)), Wide(), other)
    whole._no_split_modules = ["Wide", "Part"]
    assert blocks(whole) == [narrow, whole.parts[1], other]
    whole._no_split_modules = ["Wide"]
    assert blocks(whole) == [whole.parts[0], whole.parts[1]]


@pytest.mark.parametrize("listed", [None, [], ["Absent"]])
def test_without_such_a_list_blocks_are_the_members_of_the_outermost_lists(listed):
    inner, outer = Part(nn.Linear(1, 1)), nn.Module()
    outer.down, outer.up, outer.downs = nn.ModuleList([inner, nn.Identity()]), nn.ModuleList([nn.Identity()]), nn.ModuleList([nn.ReLU()])
    outer._no_split_modules = listed
    assert blocks(outer) == [*outer.down, *outer.up, *outer.downs]
    assert blocks(nn.Linear(1, 1)) == []
