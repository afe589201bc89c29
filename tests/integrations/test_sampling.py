"""Guided sampling through the calls of ComfyUI: the shift, the window, rows, state, clones, and conditionings that cannot be read."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import infsplign
from infsplign.adapters import AttentionRecorder
from infsplign.engine.config import RECOMMENDED
from infsplign.engine.timeline import Timeline
from infsplign.errors import AttentionError, PromptError
from infsplign.testing import check_attention_source
from integrations.comfyui.nodes import SpatialGuidance, SpatialTrace, config_of, guided_prompt
from integrations.comfyui.sampling import PostCFG, run_of
from integrations.comfyui.unet_pass import Call, ControlWithoutGradient, UNetPass
from tests.integrations import stand_in
from tests.integrations.stand_in import SIGMAS, Clip, Flow, Model, UNet, conditioning, euler, loaded

PROMPT = "a cat to the left of a dog"
LEVELS = SIGMAS[torch.tensor([-1, 600, 300, 100])]
DIFFERENTIABLE = {"optimized_attention_override": lambda _, *args: stand_in.attention_pytorch(*args)}
STEPS = torch.cat([LEVELS, torch.zeros(1)])


@pytest.fixture(autouse=True)
def comfy(monkeypatch):
    stand_in.installed(monkeypatch)


@pytest.fixture(scope="module")
def clip():
    return Clip()


@pytest.fixture(scope="module")
def conds(clip):
    return [conditioning(clip, PROMPT)], [conditioning(clip, "blurry")]


def noise(rows=1, seed=0, size=(16, 16)):
    return 14.6 * torch.randn(rows, 4, *size, generator=torch.Generator().manual_seed(seed))


def guided(model, clip, *, prompt=PROMPT, relations="", strength=RECOMMENDED.max_shift, start=0.0, stop=0.5, check=True):
    return SpatialGuidance().guide(model, clip, prompt, relations, strength, start, stop, check)[0]


def state(model):
    return {name: id(value) for name, value in model.model.named_parameters()} | {"options": repr(model.model_options)}


def test_the_shift_is_that_of_the_engine_on_the_same_maps(clip, conds):
    """The first step's, against `Steps` with a noise prediction and maps recorded from torch's attention."""
    model, x = loaded(), noise(2)
    plain, shifted = (euler(patcher, *conds, x, STEPS)[0] for patcher in (model, guided(model, clip)))
    unet, found = model.model.diffusion_model, guided_prompt(clip, PROMPT, "", check=False)
    unet = _normal(unet)
    layers = {level: tuple(tap.name for tap in UNetPass(unet).taps.values() if tap.level == level) for level in ("coarse", "middle")}

    def denoiser(x_in, _timestep):
        return unet(x_in, conds[0][0]["cross_attn"].clone().expand(len(x_in), -1, -1), None, dict(DIFFERENTIABLE))

    guidance = infsplign.Guidance(denoiser, AttentionRecorder(unet, layers), found.scene, found.positions, RECOMMENDED)
    steps = infsplign.Steps(guidance, torch.arange(4.0).flip(0))
    steps(x / (LEVELS[0] ** 2 + 1) ** 0.5, torch.tensor(3.0))
    eps = steps.shifted(torch.zeros_like(x))
    assert eps.abs().max() > 0.05
    torch.testing.assert_close(shifted - plain, -LEVELS[0] * eps, atol=2e-4, rtol=2e-4)


def _normal(unet):
    copied = UNet()
    copied.load_state_dict({name: value.clone() for name, value in unet.state_dict().items()})
    return copied


class Whole(torch.nn.Module):
    """The model as a denoiser that takes a text: the whole pass, beside the pass that is recorded."""

    def __init__(self, model):
        super().__init__()
        self.model, self.source = model, None

    def forward(self, sample, text):
        sigma = sample.new_ones(len(sample), dtype=torch.float32)
        call = Call(self.model, {"cross_attn": text}, sigma, torch.full((len(sample), 1, 1, 1), 0.5**0.5), {"transformer_options": {}})
        if self.source is not None:
            self.source(sample, call)
        return self.model.diffusion_model(
            sample, text, None, {"optimized_attention_override": lambda _, *args: stand_in.attention_pytorch(*args)}
        )


class OfWhole:
    def __init__(self, whole):
        self.whole = whole

    def record(self, sample, **_kwargs):
        source = UNetPass(self.whole.model.diffusion_model)
        return Recording(self.whole, source, source.record(sample))


class Recording:
    def __init__(self, whole, source, recorded):
        self.whole, self.source, self.recorded = whole, source, recorded

    def __enter__(self):
        self.whole.source = self.source
        return self.recorded.__enter__()

    def __exit__(self, *error):
        self.whole.source = None
        return self.recorded.__exit__(*error)


def test_the_source_passes_the_checks_of_adapters():
    torch.manual_seed(0)
    whole = Whole(Model(UNet())).eval()

    def inputs(rows, size):
        return torch.randn(rows, 4, *size), {"text": torch.randn(rows, 10, stand_in.WIDTH)}

    check_attention_source(OfWhole, whole, inputs, text="text", mask=(), sizes=((16, 16), (16, 24)), dtypes=(torch.bfloat16,))


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    numbers=st.lists(st.integers(1, 999), min_size=2, max_size=5, unique=True),
    window=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
)
def test_the_window_is_by_noise_as_in_guide(clip, conds, numbers, window):
    levels = SIGMAS[torch.tensor(sorted(numbers, reverse=True))]
    start, stop = window
    patcher = guided(loaded(), clip, start=start, stop=stop)
    euler(patcher, *conds, noise(), torch.cat([levels, torch.zeros(1)]))
    run = run_of(patcher)
    times = infsplign.timesteps_of(levels, 1 / (1 + SIGMAS**2))
    progress = [Timeline(times, levels, "sample").of(i).progress for i in range(len(levels))]
    assert [step.guided for step in run.steps.trace] == [start <= p < stop for p in progress]
    bound = 1.001 * RECOMMENDED.max_shift
    assert all(float(step.shift[0]) <= bound * sigma for step, sigma in zip(run.steps.trace, run.sigmas, strict=True) if step.guided)


def test_a_window_without_a_step_is_told(clip, conds):
    with pytest.warns(UserWarning, match="nothing will be guided: no step lies between `start` 0.98 and `stop` 0.99"):
        euler(guided(loaded(), clip, start=0.98, stop=0.99), *conds, noise(), STEPS)


def test_outside_the_window_and_at_strength_0_nothing_changes_and_nothing_is_run(clip, conds):
    model = loaded()
    plain = euler(model, *conds, noise(), STEPS)
    passes = list(model.model.passes)
    for patcher in (guided(model, clip, strength=0.0), guided(model, clip, start=0.2, stop=0.2)):
        model.model.passes.clear()
        assert torch.equal(euler(patcher, *conds, noise(), STEPS), plain)
        assert model.model.passes == passes


def test_a_guided_step_adds_one_pass_that_ends_early(clip, conds):
    model = loaded()
    euler(model, *conds, noise(), STEPS)
    ended = list(model.model.passes)
    model.model.passes.clear()
    euler(guided(model, clip), *conds, noise(), STEPS)
    assert model.model.passes == ended  # no further pass has come to its end


def test_rows_are_guided_alone(clip, conds):
    patcher, x = guided(loaded(), clip), noise(3)
    first = torch.cat([LEVELS[:1], torch.zeros(1)])
    together = euler(patcher, *conds, x, first)
    alone = torch.cat([euler(patcher, *conds, row[None], first) for row in x], 1)
    torch.testing.assert_close(together, alone, atol=1e-3, rtol=1e-3)


def test_the_order_of_conditionings_and_others_beside_do_not_matter(clip, conds):
    patcher, x = guided(loaded(), clip), noise()
    first = euler(patcher, *conds, x, STEPS)
    assert torch.equal(euler(patcher, *conds, x, STEPS, uncond_first=False), first)
    maps = run_of(patcher).steps.trace[0].maps
    other = [conditioning(clip, "a house"), *conds[0]]
    euler(patcher, other, conds[1], x, STEPS)
    assert all(torch.equal(a, b) for a, b in zip(maps, run_of(patcher).steps.trace[0].maps, strict=True))


def test_a_text_that_goes_on_or_comes_behind_another_is_found(clip, conds):
    patcher, x = guided(loaded(), clip), noise()
    longer = [conditioning(clip, f"{PROMPT}, oil painting")]
    behind = [{"cross_attn": torch.cat([clip.encode("a house"), clip.encode(PROMPT)], 1)}]
    for positive, offset in ((longer, 0), (behind, 77)):
        euler(patcher, positive, conds[1], x, STEPS)
        run = run_of(patcher)
        assert [match.offset for match in run.matches] == [offset]
        assert run.steps.guidance.token_indices[0] == tuple(
            tuple(position + offset for position in positions) for positions in run.guide.prompt.positions
        )


def test_a_conditioning_of_a_part_of_the_sampling_is_guided_in_that_part(clip, conds):
    patcher = guided(loaded(), clip, stop=1.0)
    late = [conditioning(clip, PROMPT, timestep_start=float(LEVELS[2])), conditioning(clip, "a house", timestep_end=float(LEVELS[1]))]
    euler(patcher, late, conds[1], noise(), STEPS)
    run = run_of(patcher)
    assert [step.guided for step in run.steps.trace] == [True, True]
    assert [sigma for sigma, _ in zip(run.sigmas, run.steps.trace, strict=True)] == LEVELS[2:].tolist()
    assert [step.step for step in run.trace()] == [2, 3]
    report = SpatialTrace().show(patcher, {"samples": noise()})[1]
    assert [line.split()[0] for line in report.splitlines() if line.strip()[:1].isdigit()] == ["3", "4"]


@pytest.mark.parametrize(
    ("positive", "message"),
    [
        ({"text": "a dog to the left of a cat"}, "none of its 1 parts has the same embeddings at its tokens"),
        ({"area": (8, 8, 0, 0)}, "because it covers only an area of the picture"),
        ({"mask": torch.ones(1, 16, 16)}, "because it is masked"),
        ({"gligen": ("position", None, [])}, "because it has GLIGEN boxes"),
        ({"default": True}, "because it is a default conditioning"),
    ],
)
def test_conditionings_that_cannot_be_read_are_refused(clip, conds, positive, message):
    more = dict(positive)
    cond = conditioning(clip, more.pop("text", PROMPT), **more)
    with pytest.raises(PromptError, match=message):
        euler(guided(loaded(), clip), [cond], conds[1], noise(), STEPS)


def test_what_the_prompt_says_behind_its_objects_is_compared_too(clip, conds):
    """The relation stands there, and the encoder is causal: the object's own embedding does not know it."""
    patcher = guided(loaded(), clip, prompt="a cat on the right side")
    with pytest.raises(PromptError, match="has the same embeddings at its tokens"):
        euler(patcher, [conditioning(clip, "a cat on the left side")], conds[1], noise(), STEPS)
    euler(patcher, [conditioning(clip, "a cat on the right side, oil painting")], conds[1], noise(), STEPS)


def test_without_a_check_the_only_conditioning_is_taken(clip, conds):
    patcher = guided(loaded(), clip, check=False)
    other = [conditioning(clip, "a dog to the left of a cat")]
    euler(patcher, other, conds[1], noise(), STEPS)
    assert [step.guided for step in run_of(patcher).steps.trace] == [True, True, False, False]
    with pytest.raises(PromptError, match="has 2 parts, and `check_prompt` is off"):
        euler(patcher, other * 2, conds[1], noise(), STEPS)
    short = [{"cross_attn": conds[0][0]["cross_attn"][:, :3]}]
    with pytest.raises(PromptError, match="the conditioning has 3 tokens"):
        euler(patcher, short, conds[1], noise(), STEPS)


def test_each_sampling_starts_afresh_and_leaves_the_model_as_it_was(clip, conds):
    model = loaded()
    patcher = guided(model, clip)
    before = state(patcher)
    runs = [euler(patcher, *conds, noise(), STEPS) for _ in range(2)]
    assert torch.equal(*runs)
    assert len(run_of(patcher).steps.trace) == len(LEVELS)
    assert state(patcher) == before
    assert all(value.is_inference() for value in model.model.parameters())
    one = torch.cat([LEVELS[:1], torch.zeros(1)])
    for _ in range(2):  # one step, twice with the same sigmas
        euler(patcher, *conds, noise(), one)
        assert len(run_of(patcher).steps.trace) == 1


@pytest.mark.parametrize("inside", ["to_k", "out"])
def test_an_interrupt_leaves_the_model_clean(clip, conds, inside):
    """In the guided pass, and in the pass before it."""
    model = loaded()
    plain, patcher = euler(model, *conds, noise(), STEPS), guided(model, clip)
    before, wanted, calls = state(patcher), euler(patcher, *conds, noise(), STEPS), []

    def interrupt(*_args):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt

    unet = model.model.diffusion_model
    module = unet.out if inside == "out" else UNetPass(unet).layers and next(iter(UNetPass(unet).taps.values())).module.to_k
    with module.register_forward_pre_hook(interrupt) if inside == "to_k" else module.register_forward_hook(interrupt):
        if inside == "out":
            calls.extend([1, 1])
        with pytest.raises(KeyboardInterrupt):
            euler(patcher, *conds, noise(), STEPS)
    assert state(patcher) == before
    assert torch.equal(euler(model, *conds, noise(), STEPS), plain)
    assert torch.equal(euler(patcher, *conds, noise(), STEPS), wanted)


def test_clones_have_runs_of_their_own(clip, conds):
    model = loaded()
    first = guided(model, clip)
    second = first.clone()
    functions = [patcher.model_options["sampler_post_cfg_function"] for patcher in (first, second)]
    assert functions[0] is not functions[1]
    euler(first, *conds, noise(), STEPS)
    trace = run_of(first).steps.trace
    assert run_of(second) is None
    euler(second, *conds, noise(seed=1), STEPS)
    assert run_of(first).steps.trace is trace
    assert run_of(second).steps.trace is not trace
    assert run_of(model) is None


def test_a_step_with_copied_options_continues_the_run(clip, conds):
    """Some nodes copy the options at each step."""
    patcher = guided(loaded(), clip)
    (function,) = patcher.model_options["sampler_post_cfg_function"]

    class Copying:
        def __call__(self, args):
            options = args["model_options"] | {"transformer_options": dict(args["model_options"]["transformer_options"])}
            return function(args | {"model_options": options})

    patcher.model_options["sampler_post_cfg_function"] = [Copying()]
    euler(patcher, *conds, noise(), STEPS)
    assert len(run_of(patcher).steps.trace) == len(LEVELS)


def test_controlnet_is_read_without_its_gradient(clip, conds):
    class Control:
        def __init__(self):
            self.modes = []

        def get_control(self, x, *_args):
            self.modes.append((torch.is_inference_mode_enabled(), x.requires_grad))
            return {"output": [x.new_ones(len(x), 8, 1, 1)], "middle": [None]}

    control, patcher = Control(), guided(loaded(), clip)
    euler(patcher, [conds[0][0] | {"control": control}], conds[1], noise(), STEPS)
    assert set(control.modes) == {(True, False)}
    assert len(control.modes) == len(LEVELS) + 2
    assert run_of(patcher).steps.trace[0].guided
    assert ControlWithoutGradient(type("Off", (), {"get_control": lambda *_: None})()).get_control(torch.ones(1), torch.ones(1), {}) is None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_scaled_as_in_the_engine(clip, conds, dtype):
    model = loaded()
    wanted = run_after(guided(model, clip), conds)
    model.model.manual_cast_dtype = dtype
    with torch.inference_mode():
        model.model.diffusion_model.to(dtype)
    half = run_after(guided(model, clip), conds)
    assert half.loss[0] == pytest.approx(float(wanted.loss[0]), rel=0.05)
    assert half.gradient_norm[0] == pytest.approx(float(wanted.gradient_norm[0]), rel=0.2)


def run_after(patcher, conds):
    euler(patcher, *conds, noise(), STEPS)
    return run_of(patcher).steps.trace[0]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ("patch of inference tensors", AttentionError, "holds tensors made under inference mode"),
        ("other error", RuntimeError, "^something else$"),
        ("tiles", AttentionError, "attends in 2 rows where the batch has 1"),
        ("merged", AttentionError, "attends from 32 positions where the image has 8 x 8"),
        ("skipped", AttentionError, "did not run: does another node skip or cache blocks"),
    ],
)
def test_other_nodes_that_stand_in_the_way_are_named(clip, conds, change, error, message):
    patcher = guided(loaded(), clip)
    with torch.inference_mode():
        weight = torch.ones(8, 8)

    def patch(n, context, value, _options):
        if change == "patch of inference tensors":
            return torch.nn.functional.linear(n, weight) if n.requires_grad else n, context, value
        if not n.requires_grad:
            return n, context, value
        if change == "other error":
            raise RuntimeError("something else")
        if change == "tiles":
            return n.repeat(2, 1, 1), context, value
        if change == "merged":
            return n[:, ::2], context, value
        return n, context, value

    patcher.model_options["transformer_options"]["patches"] = {"attn2_patch": [patch]}
    if change == "skipped":
        patcher.model.diffusion_model.output_blocks[2][1].forward = lambda x, *_: x
    with pytest.raises(error, match=message):
        euler(patcher, *conds, noise(), STEPS)


def test_tiles_that_come_one_by_one_are_refused(clip, conds, monkeypatch):
    """Each is alone in its batch, so that the first would be read as if it were the whole image."""
    whole = Model.apply_model

    def tiled(model, x, *rest):
        halves = [whole(model, half, *rest) for half in x.chunk(2, dim=-1)]
        return torch.cat(halves, -1)

    monkeypatch.setattr(Model, "apply_model", tiled)
    model = loaded()
    patcher = guided(model, clip)
    for _ in range(2):
        with pytest.raises(AttentionError, match="gets latents of 16 x 8 where the image has 16 x 16: remove nodes that make tiles"):
            euler(patcher, *conds, noise(), STEPS)
    assert not model.model.diffusion_model._forward_pre_hooks
    assert euler(model, *conds, noise(), STEPS).isfinite().all()


def test_models_and_latents_of_another_kind_are_refused(clip, conds):
    with pytest.raises(ValueError, match="this is one of flow matching"):
        euler(guided(loaded(sampling=Flow()), clip), *conds, noise(), STEPS)
    function = PostCFG(guided_prompt(clip, PROMPT, "", check=True), config_of(0.1, 0.0, 0.5))
    model = loaded().model
    args = {"model": model, "cond": conds[0], "sigma": torch.ones(1), "input": torch.ones(1, 4, 3, 8, 8), "model_options": {}}
    with pytest.raises(ValueError, match="must hold `sample_sigmas`"):
        function(args)
    with pytest.raises(ValueError, match="must be of pictures"):
        function(args | {"model_options": {"transformer_options": {"sample_sigmas": STEPS}}})


def test_a_model_cannot_be_guided_twice(clip):
    with pytest.raises(ValueError, match="is guided already by another Spatial guidance node"):
        guided(guided(loaded(), clip), clip)


def test_the_trace_of_a_model_that_was_not_sampled(clip):
    with pytest.raises(ValueError, match="has not been sampled with guidance"):
        SpatialTrace().show(guided(loaded(), clip), {"samples": noise()})
