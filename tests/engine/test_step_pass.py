"""One pass over a batch: which rows run with a gradient, with which arguments, and where further gradients are taken."""

from types import SimpleNamespace

import pytest
import torch

from infsplign.engine.descent import descend
from infsplign.engine.freezing import FrozenWeights
from infsplign.engine.guidance import GuidedPass, WatchedPass
from infsplign.engine.passes import Passes
from infsplign.engine.rows import Rows
from infsplign.engine.step_pass import StepPass, Still

TEXT = torch.arange(12.0).reshape(6, 2)
SHARED = torch.tensor([7.0, 8.0])
"""An argument that is no row of the batch."""


class Engine:
    """Stands in for `Guidance`: the denoiser triples its input, the loss of a row is half its square, so that its gradient is the row."""

    def __init__(self):
        self.passes, self.weights, self.calls = Passes(), FrozenWeights(None), []
        self.held = self.zero = None

    def denoiser(self, sample, *args, **kwargs):
        self.calls.append(("denoiser", sample, args, kwargs, None))
        return SimpleOutput(3 * sample)

    def run(self, sample, args, kwargs, *, rows=None):
        self.calls.append(("run", sample, args, kwargs, rows))
        gradient = sample if rows is None else sample[rows]
        self.held, self.zero = f"held {len(self.calls)}", f"zero {len(self.calls)}"
        return GuidedPass(SimpleOutput(3 * sample), gradient, SimpleNamespace(total=gradient.square().flatten(1).sum(1) / 2))

    def watch(self, sample, args, kwargs, *, rows=None):
        self.calls.append(("watch", sample, args, kwargs, rows))
        return WatchedPass("output", "report")


class SimpleOutput(dict):
    """An output of a denoiser: named, and read by its first tensor."""

    def __init__(self, sample):
        super().__init__(sample=sample)


def sample_of(rows=6):
    return torch.randn(rows, 4, 2, 2, generator=torch.Generator().manual_seed(0))


def same(found, wanted):
    """The same arguments: tensors by value, everything else by identity."""
    (args, kwargs), (other, others) = found, wanted
    assert len(args) == len(other)
    assert kwargs.keys() == others.keys()
    for a, b in zip((*args, *kwargs.values()), (*other, *others.values()), strict=True):
        assert torch.equal(a, b) if isinstance(b, torch.Tensor) else a is b


@pytest.mark.parametrize("part", [slice(2, 4), slice(0, 3), slice(3, 6), slice(0, 6)])
def test_conditional_rows_run_with_a_gradient_and_the_others_without(part):
    engine, x = Engine(), sample_of()
    step = StepPass(engine, Rows(part), x, (TEXT, "mode"), {"text": TEXT, "shared": SHARED})
    output, found, repeated, held = step.guided(times=1, move=None)
    assert torch.equal(output["sample"], 3 * x)
    assert torch.equal(found.gradient, x[part])
    assert (repeated, held) == ((), engine.held)
    parts = [piece for piece in (slice(0, part.start), part, slice(part.stop, 6)) if piece.start < piece.stop]
    assert len(engine.calls) == len(parts)
    for (name, given, args, kwargs, rows), piece in zip(engine.calls, parts, strict=True):
        assert name == ("run" if piece == part else "denoiser")
        assert rows is None
        assert torch.equal(given, x[piece])
        same((args, kwargs), ((TEXT[piece], "mode"), {"text": TEXT[piece], "shared": SHARED}))
    assert engine.passes == Passes(plain=6 - (part.stop - part.start))


def test_a_batch_of_conditional_rows_alone_gets_the_caller_s_own_arguments():
    engine, text = Engine(), TEXT.clone()
    output, *_ = StepPass(engine, Rows(slice(0, 6)), sample_of(), (text,), {"text": text}).guided(times=1, move=None)
    (_, _, args, kwargs, _), *others = engine.calls
    assert others == []
    assert args[0] is text
    assert kwargs["text"] is text
    assert isinstance(output, SimpleOutput)


def test_rows_that_must_run_together_do():
    engine, x = Engine(), sample_of()
    output, found, repeated, held = StepPass(engine, Rows(slice(2, 4), together=True), x, (TEXT,), {}).guided(times=1, move=None)
    ((name, given, args, kwargs, rows),) = engine.calls
    assert (name, given is x, args, kwargs, rows) == ("run", True, (TEXT,), {}, slice(2, 4))
    assert torch.equal(output["sample"], 3 * x)
    assert torch.equal(found.gradient, x[2:4])
    assert (repeated, held, engine.passes) == ((), "held 1", Passes())


def test_a_watched_pass_reads_the_conditional_rows():
    engine, x = Engine(), sample_of()
    assert StepPass(engine, Rows(slice(2, 4)), x, (TEXT,), {"shared": SHARED}).watched() == ("output", "report")
    ((name, given, args, kwargs, rows),) = engine.calls
    assert (name, given is x, rows) == ("watch", True, slice(2, 4))
    same((args, kwargs), ((TEXT,), {"shared": SHARED}))


def by_hand(x, times):
    """Sums of gradients `G_{k+1} = G_k + grad(x - G_k / 4)`, the gradient being the input itself; and the further losses."""
    total, losses = x, []
    for _ in range(times - 1):
        moved = x - total / 4
        total = total + moved
        losses.append(moved.square().flatten(1).sum(1) / 2)
    return total, losses


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("times", [1, 2, 4])
def test_each_gradient_is_taken_where_the_sum_so_far_moves_the_latents(times, together):
    engine, x = Engine(), sample_of()
    rows = Rows(slice(2, 5), together=together)
    output, found, repeated, held = StepPass(engine, rows, x, (TEXT,), {"shared": SHARED}).guided(times=times, move=lambda g: g / 4)
    total, losses = by_hand(x[2:5], times)
    torch.testing.assert_close(found.gradient, total)
    assert len(repeated) == len(losses)
    for mine, its in zip(repeated, losses, strict=True):
        torch.testing.assert_close(mine, its)
    assert torch.equal(output["sample"], 3 * x)  # the first pass's own, at the latents as they are
    runs = [call for call in engine.calls if call[0] == "run"]
    assert len(runs) == times
    for _, given, args, kwargs, part in runs:
        assert part == (slice(2, 5) if together else None)
        same((args, kwargs), ((TEXT if together else TEXT[2:5],), {"shared": SHARED}))
        if together:  # the other rows stay where they are
            assert torch.equal(given[:2], x[:2])
            assert torch.equal(given[5:], x[5:])
    first = 1 if together else 2  # the rows before ran plainly
    assert (held, engine.zero) == (f"held {first}", f"zero {first}")


def test_further_gradients_keep_the_type_of_the_sample_and_see_the_first_output():
    engine, x, seen = Engine(), sample_of(2).half(), []

    def move(gradient, output):
        seen.append(output)
        return gradient.float() / 4

    first = engine.run(x, (), {})
    found, losses = descend(engine, first, x, (), {}, times=3, move=move)
    assert all(output is first.output for output in seen)
    assert [call[1].dtype for call in engine.calls] == [torch.float16] * 3
    assert (found.output, found.report, len(losses)) == (first.output, first.report, 2)


@pytest.mark.parametrize(("shape", "axis"), [((3, 9, 2, 2), 1), ((3, 5, 9), 2)])
@pytest.mark.parametrize("rows", [None, slice(1, 4)])
@pytest.mark.parametrize("predicted", [4, 9, 18])
def test_only_latents_are_moved(shape, axis, rows, predicted):
    """Inpainting: mask and image follow the latents in the input, not in the output. Learned variances follow them in the output."""
    gradient = torch.randn(shape)
    wide = list(shape)
    wide[axis], wide[0] = predicted, 6 if rows else 3
    asked = []

    def move(latents):
        asked.append(latents)
        return latents / 4

    found = Still(move, rows)(gradient, SimpleOutput(torch.zeros(wide)))
    latents = min(predicted, 9)
    assert torch.equal(asked[0], gradient.narrow(axis, 0, latents))
    assert torch.equal(found.narrow(axis, 0, latents), gradient.narrow(axis, 0, latents) / 4)
    assert not found.narrow(axis, latents, 9 - latents).any()
    assert found.shape == shape
