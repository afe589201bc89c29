"""Every family that has a transformer: stock pipelines with random weights, guided by their own adapter."""

import functools
import warnings
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from diffusers import FlowMatchHeunDiscreteScheduler

from infsplign import (
    PAPER,
    RECOMMENDED,
    RECOMMENDED_JOINT,
    AttentionError,
    Guidance,
    GuidanceConfig,
    PromptError,
    Scene,
    Steps,
    UnsupportedPipelineError,
    describe,
    guide,
)
from infsplign.adapters import FAMILIES
from infsplign.testing import check_attention_source
from infsplign.testing.module_state import module_state
from tests import tiny
from tests.adapters_inputs import INPUTS
from tests.tiny_transformers import MAKERS, byte_tokenizer, run

LEFT, ABOVE = "a circle to the left of a square", "a star fruit above a blue square"
# equally long: some pipelines pad embeddings to the longest of a batch, without a mask
STRONG = PAPER.with_(scale=1e4)
JOINT = {"sd3", "flux", "qwenimage", "cogview4"}


@pytest.fixture(params=MAKERS)
def family(request):
    return request.param, MAKERS[request.param]()


def test_the_default_is_the_familys_in_every_place(family):
    name, pipe = family
    default = RECOMMENDED_JOINT if name in JOINT else RECOMMENDED
    assert guide(pipe, LEFT).config == describe(pipe).config == default
    scene, tokens = Scene.of([("circle", "left of", "square")]), [[1], [2]]
    assert Guidance(pipe.transformer, FAMILIES[name], scene, tokens).config == default


@contextmanager
def ids_as_embeddings(pipe, segments):
    """Makes every text encoder write the ids of its tokens into the first channel of all that it returns."""

    def mark(_module, args, kwargs, output):
        ids = (args[0] if args else kwargs["input_ids"]).to(torch.float32)
        for states in (output[0], output.last_hidden_state, *(output.get("hidden_states") or ())):
            if states is not None and states.ndim == 3:
                states[..., 0] = ids

    encoders = {id(e): e for s in segments if (e := getattr(pipe, s.encoder, None)) is not None}
    handles = [e.register_forward_hook(mark, with_kwargs=True) for e in encoders.values()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize("name", INPUTS)
def test_every_adapter_passes_the_kit(name):
    torch.manual_seed(0)
    pipe = MAKERS[name]() if name in MAKERS else getattr(tiny, name)()
    text = ["encoder_hidden_states", "encoder_hidden_states_t5"] if name == "hunyuandit" else "encoder_hidden_states"
    backbone = FAMILIES[name]
    check_attention_source(backbone.source, getattr(pipe, backbone.denoiser).eval(), INPUTS[name], text=text)


@pytest.mark.parametrize("name", INPUTS)
def test_steps_give_every_denoiser_the_timestep_where_it_takes_it(name):
    """Most transformers take the text as their second argument, and the timestep by name."""
    torch.manual_seed(0)
    pipe = MAKERS[name]() if name in MAKERS else getattr(tiny, name)()
    denoiser = getattr(pipe, FAMILIES[name].denoiser).eval()
    sample, kwargs = INPUTS[name](2, (16, 16))
    time = kwargs.pop("timestep")
    value = float(torch.as_tensor(time).flatten()[0])
    guidance = Guidance(denoiser, FAMILIES[name], Scene.of([("circle", "left of", "square")]), [[1], [2]])
    expected = guidance(sample, timestep=time, **kwargs)
    steps = Steps(guidance, [value], sigmas=[0.5], prediction="flow")
    output = steps(sample, time, **kwargs)
    assert torch.equal(output[0], expected.output[0])
    steps.shifted(output[0][:, : sample.shape[1]] if sample.ndim == 4 else output[0])
    assert torch.equal(steps.trace[0].loss, expected.report.total)


def test_sd35_with_dual_attention_passes_the_kit():
    torch.manual_seed(0)
    check_attention_source(FAMILIES["sd3"].source, MAKERS["sd3"](dual=True).transformer, INPUTS["sd3"])


def test_guidance_moves_the_image_and_leaves_nothing(family):
    name, pipe = family
    plain, before = run(name, pipe, LEFT), module_state(pipe.transformer)
    with guide(pipe, LEFT, config=GuidanceConfig(scale=0.0)):
        assert torch.equal(run(name, pipe, LEFT), plain)
    with guide(pipe, LEFT, config=STRONG) as guidance:
        guided = run(name, pipe, LEFT)
    assert [step.guided for step in guidance.trace] == [True] * len(guidance.trace)
    assert len(guidance.trace) == 2
    assert torch.isfinite(guided).all()
    assert not torch.allclose(guided, plain, rtol=1e-3)
    assert module_state(pipe.transformer) == before
    assert torch.equal(run(name, pipe, LEFT), plain)
    assert describe(pipe).family == name


@pytest.mark.parametrize("prompt", [LEFT, ABOVE])
def test_tokens_are_those_of_the_objects(family, prompt):
    """The embeddings carry the ids of their tokens; what the denoiser gets at the positions found must read as the object's name."""
    name, pipe = family
    segments, seen = pipe_segments(name), {}

    def look(_module, _args, kwargs):
        text = [kwargs[key] for key in ("encoder_hidden_states", "encoder_hidden_states_t5") if kwargs.get(key) is not None]
        seen.setdefault("ids", [t[..., 0] for t in text])

    handle = pipe.transformer.register_forward_pre_hook(look, with_kwargs=True)
    with ids_as_embeddings(pipe, segments), guide(pipe, prompt) as guidance:
        run(name, pipe, prompt)
    handle.remove()
    ids = torch.cat(seen["ids"], 1)[-1].round().long()  # the last row is conditional in every layout
    for phrase, positions in zip(guidance.scenes[0].objects, guidance.token_indices[0], strict=True):
        read = "".join(
            getattr(pipe, tokenizer_at(pipe, name, p, ids)).decode([int(ids[p])]).replace("</w>", "") for p in positions
        )
        times = read.replace(" ", "").count(phrase.replace(" ", ""))
        assert times == (2 if name in ("sd3", "hunyuandit") else 1), (phrase, read)


def pipe_segments(name):
    return FAMILIES[name].segments


def tokenizer_at(pipe, name, position, ids):
    """The tokenizer whose segment holds a position."""
    first, last = FAMILIES[name].segments[0], FAMILIES[name].segments[-1]
    return (first if position < 77 else last).tokenizer if name in ("sd3", "hunyuandit") else first.tokenizer


def test_the_shift_reaches_the_scheduler_as_its_parametrisation_asks(family):
    name, pipe = family
    scheduler, outputs = pipe.scheduler, {}
    step = scheduler.step

    def spy(kind):
        def wrapped(model_output, timestep, sample, *args, **kwargs):
            outputs.setdefault(kind, []).append((model_output, float(scheduler.sigmas[0]) if hasattr(scheduler, "sigmas") else None))
            return step(model_output, timestep, sample, *args, **kwargs)

        return functools.wraps(step)(wrapped)

    config = GuidanceConfig(scale=50.0, update="direct", stop=0.4)
    scheduler.step = spy("plain")
    run(name, pipe, LEFT)
    scheduler.step = spy("guided")
    with guide(pipe, LEFT, config=config) as guidance:
        run(name, pipe, LEFT)
    del scheduler.step
    (plain, _), (guided, _) = outputs["plain"][0], outputs["guided"][0]
    moved = (guided - plain).flatten(1).norm(dim=1)
    assert torch.allclose(moved, 50.0 * guidance.trace[0].gradient_norm, rtol=1e-3)


def test_a_batch_of_prompts_equals_one_by_one(family):
    name, pipe = family
    prompts = [LEFT, ABOVE]
    many = {"negative_prompt": [""] * 2} if name in ("flux", "cogview4") else {}
    if name == "qwenimage":
        many = {"negative_prompt": [" "] * 2}
    relations = [[("circle", "left of", "square")], [("star fruit", "above", "blue square")]]
    with guide(pipe, prompts, relations=relations, config=STRONG) as guidance:
        together = run(name, pipe, prompts, seed=[0, 1], **many)
    assert guidance.trace[0].loss.shape == (2,)
    for row, prompt in enumerate(prompts):
        with guide(pipe, prompt, relations=relations[row], config=STRONG) as single:
            alone = run(name, pipe, prompt, seed=row)
        assert torch.allclose(guidance.trace[0].centroid[row], single.trace[0].centroid[0], atol=1e-4)
        assert (together[row] - alone[0]).norm() < 0.05 * alone[0].norm()


def test_several_images_a_prompt_on_another_size(family):
    name, pipe = family
    with guide(pipe, LEFT, config=STRONG) as guidance:
        pair = run(name, pipe, LEFT, seed=[0, 1], num_images_per_prompt=2, size=(64, 96))
    assert guidance.trace[0].loss.shape == (2,)
    with guide(pipe, LEFT, config=STRONG):
        second = run(name, pipe, LEFT, seed=1, size=(64, 96))
    assert (pair[1] - second[0]).norm() < 0.05 * second.norm()


def test_half_precision_gives_the_same_gradient(family):
    name, pipe = family
    norms = {}
    for dtype in (torch.float32, torch.bfloat16):
        with guide(pipe.to(dtype), LEFT) as guidance:
            run(name, pipe, LEFT)
        norms[dtype] = guidance.trace[0].gradient_norm
    assert torch.allclose(norms[torch.bfloat16], norms[torch.float32], rtol=0.2)


def test_another_prompt_is_refused(family):
    name, pipe = family
    with pytest.raises(PromptError, match="another prompt"), guide(pipe, LEFT):
        run(name, pipe, ABOVE)
    with pytest.raises(PromptError, match="banana"):
        guide(pipe, LEFT, relations=[("circle", "left of", "banana")])


@pytest.mark.parametrize("name", ["pixart", "sana", "sd3", "flux"])
def test_an_object_beyond_the_length_of_the_call_is_refused(name):
    pipe = MAKERS[name]()
    long = LEFT.replace("square", "very " * 30 + "square")
    relations = [("circle", "left of", "square")]
    with guide(pipe, long, relations=relations, config=STRONG) as guidance:
        run(name, pipe, long, max_sequence_length=256)
    assert guidance.trace[0].guided
    with pytest.raises(PromptError, match="'square' is cut off"), guide(pipe, long.replace("very", "xyzzy"), relations=relations):
        run(name, pipe, long.replace("very", "xyzzy"), max_sequence_length=40)


def test_sd3_reads_from_t5_what_clip_has_cut():
    pipe = MAKERS["sd3"]()
    long = LEFT.replace("square", "xyzzy " * 40 + "square")
    with guide(pipe, long, relations=[("circle", "left of", "square")]) as guidance:
        run("sd3", pipe, long, max_sequence_length=320)
    assert min(guidance.token_indices[0][1]) >= 77
    assert min(guidance.token_indices[0][0]) < 77


def test_sd3_without_t5_reads_from_clip():
    pipe = MAKERS["sd3"](without_t5=True)
    with guide(pipe, LEFT, config=STRONG) as guidance:
        run("sd3", pipe, LEFT)
    assert guidance.token_indices == [((2,), (8,))]


def test_sd3_with_another_prompt_for_t5_is_refused():
    pipe = MAKERS["sd3"]()
    with pytest.raises(PromptError, match="another prompt.*text_encoder_3"), guide(pipe, LEFT):
        run("sd3", pipe, LEFT, prompt_3=ABOVE)


def test_sd3_with_skip_layer_guidance_is_guided_once_a_step():
    pipe = MAKERS["sd3"]()
    calls = []
    pipe.transformer.register_forward_pre_hook(lambda _m, _a, kwargs: calls.append(len(kwargs["hidden_states"])), with_kwargs=True)
    with guide(pipe, LEFT, config=STRONG) as guidance:
        run("sd3", pipe, LEFT, steps=6, skip_guidance_layers=[1], skip_layer_guidance_start=0.1, skip_layer_guidance_stop=0.7)
    assert calls.count(1) == 4  # the calls of skip-layer guidance itself
    assert [step.guided for step in guidance.trace] == [True] * 6


def test_guidance_embedded_flux_has_one_call_a_step():
    pipe = MAKERS["flux"](guidance_embeds=True)
    with guide(pipe, LEFT, config=STRONG) as guidance:
        run("flux", pipe, LEFT, true_cfg_scale=1.0, negative_prompt=None, guidance_scale=3.5)
    assert [step.guided for step in guidance.trace] == [True] * 2


@pytest.mark.parametrize("name", ["pixart", "sana", "hunyuandit", "sd3", "cogview4"])
def test_without_classifier_free_guidance_all_rows_are_conditional(name):
    pipe = MAKERS[name]()
    with guide(pipe, [LEFT, ABOVE], config=STRONG) as guidance:
        run(name, pipe, [LEFT, ABOVE], seed=[3, 3], guidance_scale=1.0)  # equal noise: halves of the batch are equal
    assert guidance.trace[0].loss.shape == (2,)


def test_pixart_embeddings_tell_their_rows_by_equal_halves():
    pipe = MAKERS["pixart"]()
    embeds, mask, negative, negative_mask = pipe.encode_prompt(LEFT, True)
    call = {"prompt_attention_mask": mask, "negative_prompt_attention_mask": negative_mask, "negative_prompt": None}
    call |= {"prompt_embeds": embeds, "negative_prompt_embeds": negative}
    relations = [("circle", "left of", "square")]
    with guide(pipe, LEFT, config=STRONG) as told:
        expected = run("pixart", pipe, LEFT)
    with guide(pipe, relations=relations, token_indices=told.token_indices[0], config=STRONG) as guidance:
        assert torch.allclose(run("pixart", pipe, None, **call), expected, rtol=1e-3, atol=1e-2)
        run("pixart", pipe, None, guidance_scale=1.0, **call)
    assert guidance.trace[0].loss.shape == (1,)


def test_pixart_sigma_takes_300_tokens():
    pipe = MAKERS["pixart"](sigma=True)
    assert describe(pipe).text_length == 300
    with guide(pipe, LEFT, config=STRONG) as guidance:
        run("pixart", pipe, LEFT)
    assert guidance.trace[0].guided


def test_pixart_reads_what_caption_cleaning_leaves():
    pipe = MAKERS["pixart"]()
    shouted = "A CIRCLE &amp; to the left of a SQUARE"
    for cleaned in (True, False):
        with guide(pipe, shouted, relations=[("circle", "left of", "square")], config=STRONG) as guidance:
            run("pixart", pipe, shouted, clean_caption=cleaned)
        assert guidance.trace[0].guided


def test_sana_without_its_instruction():
    pipe = MAKERS["sana"]()
    with guide(pipe, LEFT, config=STRONG) as guidance:
        run("sana", pipe, LEFT, complex_human_instruction=None)
    assert guidance.token_indices[0][0][0] == 3


def test_sana_s_embeddings_that_come_again_are_read_where_they_were():
    """The call between has no instruction, so that fewer of the encoder's tokens are left out."""
    pipe, found = MAKERS["sana"](), []
    with guide(pipe, LEFT, config=STRONG) as guidance:
        for options in ({}, {"complex_human_instruction": None}, {}):
            run("sana", pipe, LEFT, **options)
            found.append((guidance.token_indices, guidance.trace[0].loss.tolist()))
    assert found[2] == found[0] != found[1]


def test_qwen_image_drops_its_template_and_nothing_else():
    """Neither the length of the call, which cuts the text's end, nor padding on either side, which is taken out, moves the words."""
    pipe = MAKERS["qwenimage"]()
    with guide(pipe, LEFT, config=STRONG) as guidance:
        run("qwenimage", pipe, LEFT)
        whole = guidance.token_indices[0]
        run("qwenimage", pipe, LEFT, max_sequence_length=max(whole[1]) + 2)
        assert guidance.token_indices[0] == whole
        with pytest.raises(ValueError, match="truncated"):
            run("qwenimage", pipe, LEFT, max_sequence_length=max(whole[1]))
    pipe.tokenizer = byte_tokenizer(side="left")
    longer, relations = LEFT + ", on a grey background", [[("circle", "left of", "square")]] * 2
    with guide(pipe, [LEFT, longer], relations=relations, config=STRONG) as guidance:
        run("qwenimage", pipe, [LEFT, longer], seed=[0, 1], negative_prompt=[" "] * 2)
    assert guidance.token_indices == [whole, whole]


def test_qwen_image_s_rows_of_unequal_length_are_known_as_its_encoder_s():
    pipe, longer = MAKERS["qwenimage"](), f"{ABOVE}, oil on canvas, best quality"
    with guide(pipe, [LEFT, longer], config=STRONG), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        run("qwenimage", pipe, [LEFT, longer], seed=[0, 1], negative_prompt=[" ", " "])


def test_an_empty_prompt_that_was_encoded_before_is_not_taken_for_the_beginning_of_the_prompt():
    pipe = MAKERS["cogview4"]()
    with guide(pipe, LEFT, config=STRONG) as guidance:
        pipe.encode_prompt(ABOVE, "")
        embeds, negative = pipe.encode_prompt(LEFT, "")
        run("cogview4", pipe, None, prompt_embeds=embeds, negative_prompt_embeds=negative)
    assert all(step.guided for step in guidance.trace)


@pytest.mark.parametrize("name", ["sana", "hunyuandit"])
def test_masks_that_diffusers_mixes_up_are_warned_of(name):
    pipe = MAKERS[name]()
    with guide(pipe, [LEFT, ABOVE]), pytest.warns(UserWarning, match="each other's attention masks"):
        run(name, pipe, [LEFT, ABOVE], seed=[0, 1, 2, 3], num_images_per_prompt=2)


def test_flow_is_shifted_by_the_noise_s_share():
    """A shift delta of the noise is one of delta / (1 - sigma) of the velocity, but at most `max_gain` of it."""
    pipe = MAKERS["sd3"]()
    with guide(pipe, LEFT, config=GuidanceConfig(scale=3.0, max_gain=4.0)) as guidance:
        run("sd3", pipe, LEFT, steps=4)
    sigmas, size = pipe.scheduler.sigmas, (4 * 32 * 32) ** 0.5
    for step, sigma in zip(guidance.trace, sigmas, strict=False):
        gain = min(4.0, 1 / (1 - float(sigma)) if sigma < 1 else 4.0)
        assert torch.allclose(step.shift, gain * 3.0 * step.gradient_norm / size, rtol=1e-4)


def test_second_order_flow_schedulers_are_guided_at_every_call():
    pipe = MAKERS["sd3"]()
    pipe.scheduler = FlowMatchHeunDiscreteScheduler()
    with guide(pipe, LEFT, config=STRONG) as guidance:
        run("sd3", pipe, LEFT, steps=3)
    assert len(guidance.trace) == 5
    assert all(step.guided for step in guidance.trace)


def test_kolors_is_guided_with_explicit_indices():
    from diffusers import KolorsPipeline

    xl = tiny.sdxl()
    pipe = KolorsPipeline(vae=xl.vae, text_encoder=None, tokenizer=None, unet=xl.unet, scheduler=xl.scheduler)
    pipe.set_progress_bar_config(disable=True)
    embeds, pooled = torch.randn(1, 20, 64), torch.randn(1, 32)
    call = {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}
    call |= {f"negative_{name}": -value for name, value in call.items()}
    assert describe(pipe).family == "kolors"
    with pytest.raises(PromptError, match="token_indices"):
        guide(pipe, LEFT)
    with guide(pipe, relations=[("circle", "left of", "square")], token_indices=[[2], [8]], config=STRONG) as guidance:
        pipe(None, num_inference_steps=2, height=32, width=32, output_type="latent", **call)
    assert [step.guided for step in guidance.trace] == [True] * 2


def test_a_transformer_without_its_blocks_is_refused():
    pipe = MAKERS["sd3"]()
    del pipe.transformer.transformer_blocks[2:]
    with pytest.raises(AttentionError, match=r"transformer_blocks\.2"):
        guide(pipe, LEFT)


def test_a_cached_transformer_is_refused():
    from diffusers import FirstBlockCacheConfig

    pipe = MAKERS["flux"]()
    pipe.transformer.enable_cache(FirstBlockCacheConfig(threshold=0.1))
    with pytest.raises(UnsupportedPipelineError, match="disable_cache"), guide(pipe, LEFT):
        pass


def test_a_cache_put_there_by_a_function_is_refused():
    """It would give the conditional rows of a guided step what the unconditional ones computed."""
    from diffusers.hooks import HookRegistry, PyramidAttentionBroadcastConfig, apply_pyramid_attention_broadcast

    pipe = MAKERS["pixart"]()
    options = PyramidAttentionBroadcastConfig(spatial_attention_block_skip_range=2, current_timestep_callback=lambda: 500)
    apply_pyramid_attention_broadcast(pipe.transformer, options)
    with pytest.raises(UnsupportedPipelineError, match="transformer_blocks.0.attn1.*remove_hook"), guide(pipe, LEFT):
        pass
    HookRegistry.check_if_exists_or_initialize(pipe.transformer).remove_hook("pyramid_attention_broadcast")
    with guide(pipe, LEFT):
        run("pixart", pipe, LEFT)
        apply_pyramid_attention_broadcast(pipe.transformer, options)
        with pytest.raises(UnsupportedPipelineError, match="must not cache steps"):
            run("pixart", pipe, LEFT)


def test_an_adapter_from_outside_the_package():
    """A pipeline whose transformer no family knows by its class."""

    class MyTransformer(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner, self.config, self.dtype, self.device = inner, inner.config, inner.dtype, inner.device

        def forward(self, hidden_states, **kwargs):
            return self.inner(hidden_states, **kwargs)

    pipe = MAKERS["sd3"]()
    with guide(pipe, LEFT, config=STRONG):
        expected = run("sd3", pipe, LEFT)
    pipe.transformer = MyTransformer(pipe.transformer)
    with pytest.raises(UnsupportedPipelineError, match="backbone="):
        guide(pipe, LEFT)
    mine = replace(FAMILIES["sd3"], name="mine", layers=lambda outer: {
        level: tuple(f"inner.{name}" for name in names) for level, names in FAMILIES["sd3"].layers(outer.inner).items()
    })  # fmt: skip
    with guide(pipe, LEFT, config=STRONG, backbone=mine) as guidance:
        assert torch.equal(run("sd3", pipe, LEFT), expected)
    assert all(step.guided for step in guidance.trace)


def test_layers_may_be_chosen():
    pipe = MAKERS["sd3"]()
    names = ["transformer_blocks.0.attn", "transformer_blocks.3.attn"]
    layers = {"coarse": (names[0],), "middle": (names[1],)}
    assert [layer.name for layer in describe(pipe, STRONG.with_(layers=layers)).layers] == names
    with guide(pipe, LEFT, config=STRONG.with_(layers=layers), keep_maps=True) as guidance:
        run("sd3", pipe, LEFT)
    assert [tuple(m.shape) for m in guidance.trace[0].maps] == [(1, 2, 16, 16)] * 2
    with pytest.raises(AttentionError, match=r"transformer_blocks\.9"):
        guide(pipe, LEFT, config=STRONG.with_(layers={"coarse": ("transformer_blocks.9.attn",)}))


@pytest.mark.parametrize(
    ("name", "prompt", "other"),
    [
        ("sana", "a cat to the left of a dog", "a yak to the left of a gnu"),
        ("sana", "a bus above a street", "a gnu above a ztreet"),
        ("qwenimage", "a text above an object", "a yaks above an obiect"),
    ],
)
def test_objects_that_the_pipelines_own_instruction_names_are_those_of_the_prompt(name, prompt, other):
    """Sana's instruction tells of a cat that sleeps, and Qwen-Image's template of objects and text. Tokens are bytes here."""
    pipe, found = MAKERS[name](), []
    for asked in (prompt, other):
        with guide(pipe, asked, config=STRONG) as guidance:
            run(name, pipe, asked)
        found.append(guidance.token_indices)
    assert found[0] == found[1]
