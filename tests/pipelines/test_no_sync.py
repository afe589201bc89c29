"""Inside a step nothing waits for the device, and after it nothing of its graph is alive."""

import gc
import weakref

import pytest
import torch

from infsplign import Guidance, GuidanceConfig, Scene, guide
from infsplign.adapters import FAMILIES
from tests import tiny, tiny_transformers
from tests.adapters_inputs import INPUTS
from tests.syncs import no_sync

SCENE = Scene.of([("circle", "left of", "square"), ("square", "above", "star")])
PROMPT = "a circle to the left of a square"
MAKERS = {"sd": tiny.sd, "sdxl": tiny.sdxl} | tiny_transformers.MAKERS


@pytest.mark.parametrize(
    "read",
    [lambda x: x.sum().item(), lambda x: x.tolist(), lambda x: bool(x[0] > 0), lambda x: x[x > 0], lambda x: x.nonzero(),
     lambda x: torch.equal(x, x), lambda x: torch.tensor([1.0, 2.0]) + x[:2]],
)  # fmt: skip
def test_what_waits_is_found(read):
    x = torch.randn(3)
    with pytest.raises(AssertionError), no_sync():
        read(x)


@pytest.mark.parametrize("plan", ["split", "checkpoint"])
@pytest.mark.parametrize("name", MAKERS)
@torch.no_grad()
def test_no_step_but_the_first_waits_for_the_device(name, plan):
    backbone = FAMILIES[name]
    denoiser = getattr(MAKERS[name](), backbone.denoiser).eval()
    engine = Guidance(denoiser, backbone.source(denoiser), SCENE, [[1], [2, 3], [4]], GuidanceConfig(plan=plan))
    sample, kwargs = INPUTS[name](2, (16, 16))
    for attempt in (lambda: denoiser(sample, **kwargs), lambda: engine(sample, **kwargs)):
        attempt()  # what is made of the scene is kept, and so is a denoiser's own table of positions
    own = waits(lambda: denoiser(sample, **kwargs))
    assert waits(lambda: engine(sample, **kwargs)) == own


def waits(step):
    """What a step waits for: denoisers of diffusers may do so themselves."""
    try:
        with no_sync():
            step()
    except AssertionError as error:
        return str(error)
    return None


TOKENS = []


class Alive(torch.autograd.Function):
    """Passes a tensor on; its place in the graph holds an object that can be watched."""

    @staticmethod
    def forward(ctx, x):
        ctx.token = Token()
        TOKENS.append(weakref.ref(ctx.token))
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class Token:
    pass


@pytest.mark.parametrize("plan", ["split", "checkpoint"])
def test_no_graph_outlives_its_step(plan):
    """With the cycle collector off, so that nothing may even wait for it."""
    pipe = tiny.sd()
    TOKENS.clear()
    pipe.unet.conv_in.register_forward_hook(lambda _m, _a, out: Alive.apply(out))
    alive = []

    def after_step(_pipe, _step, _t, kwargs):
        alive.append(sum(token() is not None for token in TOKENS))
        return kwargs

    gc.collect()
    gc.disable()
    try:
        with guide(pipe, PROMPT, config=GuidanceConfig(plan=plan)) as guidance:
            pipe(PROMPT, num_inference_steps=3, output_type="latent", callback_on_step_end=after_step)
    finally:
        gc.enable()
    assert [step.guided for step in guidance.trace] == [True] * 3
    assert len(TOKENS) >= 3
    assert alive == [0, 0, 0]
