"""What is attached comes off exactly, whatever happens; what cannot be guided is refused."""

import contextlib
import gc
import warnings
from types import SimpleNamespace

import pytest
import torch
from diffusers import DDIMPipeline, DDIMScheduler, DiTPipeline, DiTTransformer2DModel, UNet2DModel

from infsplign import PAPER, AttentionError, GuidanceConfig, NonFiniteGradientError, PromptError, UnsupportedPipelineError, describe, guide
from infsplign.pipelines.prompt_check import PromptCheck, _normed
from infsplign.pipelines.watching import watch
from tests import tiny, tiny_transformers

PROMPT = "a circle to the left of a square"
OTHER = "a star above a circle"


def run(pipe, prompt=PROMPT, **options):
    options = {"num_inference_steps": 3, "output_type": "latent", "generator": torch.Generator().manual_seed(0)} | options
    return pipe(prompt, **options).images


def last_norm(pipe):
    """That of CLIP; releases of transformers before 5.2 have it in `text_model`."""
    return getattr(pipe.text_encoder, "text_model", pipe.text_encoder).final_layer_norm


def state(pipe):
    """All that guidance may touch: instance attributes, hooks, flags, processors."""
    modules = dict(pipe.unet.named_modules()) | {f"text.{n}": m for n, m in pipe.text_encoder.named_modules()}
    hooks = {n: [list(h) for h in (m._forward_hooks, m._forward_pre_hooks, m._backward_hooks)] for n, m in modules.items()}
    flags = [p.requires_grad for m in (pipe.unet, pipe.text_encoder) for p in m.parameters()]
    graphs = [p.grad is not None for p in pipe.unet.parameters()]
    own = (
        {k: id(v) for k, v in vars(pipe.unet).items() if k == "forward"},
        {k: id(v) for k, v in vars(pipe.scheduler).items() if k == "step"},
        {k: id(v) for k, v in vars(pipe).items() if k == "maybe_free_model_hooks"},
    )
    return hooks, flags, graphs, own, {k: id(v) for k, v in pipe.unet.attn_processors.items()}, torch.is_grad_enabled()


@pytest.fixture(params=["sd", "sdxl"])
def pipe(request):
    pipe = getattr(tiny, request.param)()
    next(iter(pipe.unet.parameters())).requires_grad_(False)  # a flag that must not be switched on
    run(pipe, num_inference_steps=1)  # transformers leaves hooks of its own on a text encoder at its first call
    return pipe


def test_scale_zero_is_bit_identical(pipe):
    plain = run(pipe)
    with guide(pipe, PROMPT, config=GuidanceConfig(scale=0.0)) as guidance:
        assert torch.equal(run(pipe), plain)
    assert [step.guided for step in guidance.trace] == [False] * 3


def test_nothing_is_left_after_a_run(pipe):
    before, plain = state(pipe), run(pipe)
    with guide(pipe, PROMPT):
        guided = run(pipe)
    assert state(pipe) == before
    assert not torch.equal(guided, plain)
    assert torch.equal(run(pipe), plain)


@pytest.mark.parametrize("where", ["tapped layer", "after the taps", "scheduler", "callback", "attention processor"])
def test_nothing_is_left_after_an_exception(pipe, where):
    before = state(pipe)
    tapped = pipe.unet.up_blocks[1 if pipe.unet.config.addition_embed_type is None else 0].attentions[1]

    def fail(*_args, **_kwargs):
        raise KeyboardInterrupt

    with contextlib.ExitStack() as stack:
        stack.enter_context(pytest.raises(KeyboardInterrupt))
        stack.enter_context(guide(pipe, PROMPT))
        if where == "scheduler":
            stack.enter_context(_patched(pipe.scheduler, "scale_model_input", fail))
        elif where == "attention processor":
            stack.enter_context(_patched(tapped.transformer_blocks[-1].attn2, "processor", fail))
        elif where != "callback":
            module = tapped if where == "tapped layer" else pipe.unet.conv_out
            stack.callback(module.register_forward_hook(fail).remove)
        run(pipe, callback_on_step_end=fail if where == "callback" else None)
    assert state(pipe) == before


@contextlib.contextmanager
def _patched(owner, name, value):
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if name in vars(type(owner)):
            delattr(owner, name)
        else:
            setattr(owner, name, before)


def test_a_wrapped_forward_is_restored_to_the_very_object(pipe):
    """accelerate's hooks replace `forward` on the instance; the object that was there must come back."""
    original = pipe.unet.forward
    mine = lambda *a, **k: original(*a, **k)  # noqa: E731
    pipe.unet.forward = mine
    with guide(pipe, PROMPT):
        run(pipe)
    assert vars(pipe.unet)["forward"] is mine


def test_guiding_twice_is_refused(pipe):
    with guide(pipe, PROMPT), pytest.raises(RuntimeError, match="guided already"), guide(pipe, PROMPT):
        pass
    with guide(pipe, PROMPT):  # and the failed attempt has not broken the pipeline
        run(pipe)


def test_a_context_can_be_entered_again_and_the_trace_is_of_the_last_call(pipe):
    guidance = guide(pipe, PROMPT)
    for steps in (2, 4):
        with guidance:
            run(pipe, num_inference_steps=steps)
            run(pipe, num_inference_steps=steps)
        assert len(guidance.trace) == steps


def test_another_prompt_is_refused(pipe):
    before = state(pipe)
    with pytest.raises(PromptError, match="another prompt.*a heart and a moon"), guide(pipe, PROMPT):
        run(pipe, "a heart and a moon")
    with pytest.raises(PromptError, match="another prompt"), guide(pipe, PROMPT):
        run(pipe)
        run(pipe, "a heart and a moon")
    with pytest.raises(PromptError, match="another prompt"), guide(pipe, PROMPT):
        run(pipe, "a heart and a moon", negative_prompt=PROMPT)
    assert state(pipe) == before


@pytest.mark.parametrize("guidance_scale", [1.0, 7.5])
@pytest.mark.parametrize("called", [PROMPT, [PROMPT], [PROMPT, OTHER, OTHER]])
def test_another_number_of_prompts_is_refused(called, guidance_scale):
    with pytest.raises(PromptError, match="called with another prompt than `guide`"), guide(tiny.sd(), [PROMPT, OTHER]) as guidance:
        guidance.pipe(called, num_inference_steps=1, guidance_scale=guidance_scale, output_type="latent")


def test_prompt_embeds_need_token_indices():
    pipe = tiny.sd()
    embeds, negative = pipe.encode_prompt(PROMPT, "cpu", 1, True)
    call = {"prompt_embeds": embeds, "negative_prompt_embeds": negative, "prompt": None}
    with pytest.raises(ValueError, match="token_indices.*prompt_embeds"), guide(pipe, PROMPT):
        run(pipe, **call)
    relations = [("circle", "left of", "square")]
    with pytest.raises(PromptError, match="prompt.*token_indices"):
        guide(pipe, relations=relations)
    with guide(pipe, PROMPT) as guidance:
        expected = run(pipe)
    with guide(pipe, relations=relations, token_indices=guidance.token_indices[0]):
        assert torch.allclose(run(pipe, **call), expected, atol=1e-6)


def test_embeddings_made_outside_beside_a_negative_prompt_are_named_for_what_they_are():
    """The pipeline encodes the negative prompt alone, which is no other prompt of the user's."""
    pipe = tiny.sd()
    embeds, _ = pipe.encode_prompt(PROMPT, "cpu", 1, True)
    with pytest.raises(PromptError, match=r"made outside the block.*only given \['blurry'\].*`token_indices`"), guide(pipe, PROMPT):
        run(pipe, prompt=None, prompt_embeds=embeds, negative_prompt="blurry")


def test_embeddings_of_the_same_prompt_made_inside_are_accepted():
    pipe = tiny.sd()
    with guide(pipe, PROMPT, config=PAPER) as guidance:
        embeds, negative = pipe.encode_prompt(PROMPT, "cpu", 1, True)
        run(pipe, prompt=None, prompt_embeds=embeds, negative_prompt_embeds=negative)
    assert all(step.guided for step in guidance.trace)


def test_embeddings_of_another_prompt_are_reported_although_the_right_one_was_encoded_too():
    """Also those that were weighted: whether their words are elsewhere cannot be known. What `clip_skip` gives is known."""
    pipe = tiny.sd()
    other, negative = pipe.encode_prompt("a heart and a moon", "cpu", 1, True)
    with guide(pipe, PROMPT):
        pipe.encode_prompt(PROMPT, "cpu", 1, True)
        with pytest.warns(UserWarning, match="not what `text_encoder` made of a prompt in this block.*token_indices"):
            run(pipe, prompt=None, prompt_embeds=other, negative_prompt_embeds=negative)
    with guide(pipe, PROMPT), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        run(pipe)
        ids = pipe.tokenizer(PROMPT, padding="max_length", max_length=77, return_tensors="pt").input_ids
        earlier = pipe.text_encoder(ids, output_hidden_states=True).hidden_states[-2]
        skipped = last_norm(pipe)(earlier)  # what diffusers does with `clip_skip=1`
        run(pipe, prompt=None, prompt_embeds=skipped, negative_prompt_embeds=negative)


def test_prompts_of_a_batch_may_be_encoded_one_by_one():
    pipe = tiny.sd()
    prompts = [PROMPT, "a square above a circle"]
    with guide(pipe, prompts) as guidance, warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        each = [pipe.encode_prompt(prompt, "cpu", 1, True) for prompt in prompts]
        embeds, negative = (torch.cat([pair[part] for pair in each]) for part in (0, 1))
        run(pipe, prompt=None, prompt_embeds=embeds, negative_prompt_embeds=negative)
    with guide(pipe, prompts) as together:
        run(pipe, prompts)
    assert guidance.token_indices == together.token_indices


def test_weighted_embeddings_are_reported_whatever_was_encoded_first():
    pipe = tiny.sd()
    with guide(pipe, PROMPT):
        negative, embeds = (pipe.encode_prompt(text, "cpu", 1, False)[0] for text in ("", PROMPT))
        with pytest.warns(UserWarning, match="were weighted or changed"):
            run(pipe, prompt=None, prompt_embeds=1.1 * embeds, negative_prompt_embeds=negative)


def test_a_prompt_behind_another_in_the_embeddings_is_not_read_at_the_other_s_words():
    pipe = tiny.sd()

    def joined() -> None:
        other, mine, negative = (pipe.encode_prompt(text, "cpu", 1, False)[0] for text in ("a square above a circle", PROMPT, ""))
        both, none = torch.cat([other, mine], dim=1), torch.cat([negative, negative], dim=1)
        run(pipe, prompt=None, prompt_embeds=both, negative_prompt_embeds=none)

    with pytest.raises(PromptError, match="another prompt.*`token_indices`"), guide(pipe, PROMPT):
        joined()


def test_states_of_the_second_encoder_that_are_of_another_prompt_are_reported():
    """SDXL joins the states of two encoders on channels: the words' positions count in both."""
    pipe = tiny.sdxl()
    foreign = pipe.encode_prompt("a square above a circle", device="cpu")[0]
    for mixed in (False, True):
        with guide(pipe, PROMPT):
            embeds, negative, pooled, negative_pooled = pipe.encode_prompt(PROMPT, device="cpu")
            if mixed:
                width = pipe.text_encoder.config.hidden_size
                embeds = torch.cat([embeds[..., :width], foreign[..., width:]], dim=-1)
            given = {"prompt_embeds": embeds, "negative_prompt_embeds": negative}
            given |= {"pooled_prompt_embeds": pooled, "negative_pooled_prompt_embeds": negative_pooled}
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                run(pipe, prompt=None, **given)
        told = [str(w.message) for w in caught if "what `text_encoder_2` made of a prompt" in str(w.message)]
        assert len(told) == mixed


def test_embeddings_are_compared_although_the_encoder_has_been_offloaded():
    """Sequentially offloaded weights are on "meta". Weighted embeddings equal no output, so that the last norm is tried too."""
    pipe = tiny.sd()
    with guide(pipe, PROMPT):
        embeds, negative = pipe.encode_prompt(PROMPT, "cpu", 1, True)
        last_norm(pipe).to("meta")
        with pytest.warns(UserWarning, match="they were weighted or changed"):
            run(pipe, prompt=None, prompt_embeds=1.1 * embeds, negative_prompt_embeds=negative)


def test_positions_are_counted_behind_the_part_that_does_not_reach_the_denoiser():
    """An object may begin with the first token behind it, and not with the last one in it."""
    check, found = SimpleNamespace(prompts=[SimpleNamespace(phrases=("cat", "dog"))]), [((34, 35), (40,))]
    assert PromptCheck.after(check, 34, found) == [((0, 1), (6,))]
    with pytest.raises(PromptError, match="'cat' lies in the part of the text that does not reach the denoiser: token 34"):
        PromptCheck.after(check, 35, found)


def test_the_last_norm_is_taken_where_the_states_are():
    norm, states = torch.nn.LayerNorm(4, eps=0.1).double(), torch.randn(1, 3, 4)  # of an `eps` of its own, so that it counts
    (found,) = _normed(SimpleNamespace(final_layer_norm=norm), states)
    assert found.dtype == states.dtype
    assert torch.allclose(found, norm(states.double()).float())
    assert _normed(SimpleNamespace(final_layer_norm=norm), torch.randn(1, 3, 5)) == []
    assert _normed(SimpleNamespace(final_layer_norm=torch.nn.LayerNorm(4, device="meta")), states) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": []}, "at least one prompt"),
        ({"prompt": [PROMPT, None]}, "`prompt` must be a list of prompts, got .*None"),
        ({"relations": [("circle", "left of", "banana")]}, "banana"),
        ({"relations": [("circle", "sideways of", "square")]}, "sideways of"),
        ({"relations": [("circle", "left of", "circle")]}, "two different objects"),
        ({"relations": [("circle", "left of", "square"), ("square", "left of", "circle")]}, "contradict"),
        ({"token_indices": [[2], [77]]}, "77"),
        ({"token_indices": [[2], [-1]]}, "-1"),
        ({"token_indices": [[2], []]}, "token_indices"),
        ({"token_indices": [[2]]}, "token_indices"),
        ({"prompt": [PROMPT, PROMPT], "relations": [[("circle", "left of", "square")]]}, "one entry a prompt"),
        ({"prompt": "very " * 80 + PROMPT}, "circle"),
    ],
)
def test_bad_input_is_refused_before_anything_is_attached(options, message):
    pipe = tiny.sd()
    before = state(pipe)
    with pytest.raises(ValueError, match=message):
        guide(pipe, **({"prompt": PROMPT} | options))
    assert state(pipe) == before


def test_a_backbone_by_its_name_is_refused():
    with pytest.raises(TypeError, match="`backbone` must be a `Backbone` or None, got 'sd'; leave it out"):
        guide(tiny.sd(), PROMPT, backbone="sd")
    with pytest.raises(TypeError, match="`backbone` must be a `Backbone`"):
        watch(tiny.sd(), [PROMPT], ["down_blocks.1.attentions.0.transformer_blocks.0.attn2"], backbone="sd")


def test_pipelines_without_text_attention_are_refused_with_the_supported_ones_named():
    unconditional = DDIMPipeline(
        UNet2DModel(
            sample_size=8, block_out_channels=(8,), down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",), norm_num_groups=4
        ),
        DDIMScheduler(),
    )
    dit = DiTPipeline(
        DiTTransformer2DModel(num_attention_heads=2, attention_head_dim=4, num_layers=1, sample_size=8, norm_num_groups=4),
        tiny.vae(),
        DDIMScheduler(),
    )
    for pipe, reason in ((unconditional, "UNet2DModel"), (dit, "class-conditional"), (object(), "no denoiser")):
        with pytest.raises(UnsupportedPipelineError, match=reason) as error:
            guide(pipe, PROMPT)
        assert "Stable Diffusion 1.x, 2.x, XL" in str(error.value)
        assert "FluxTransformer2DModel" in str(error.value)
        with pytest.raises(UnsupportedPipelineError, match=reason):
            describe(pipe)


def test_missing_layers_are_named():
    pipe = tiny.sd()
    del pipe.unet.up_blocks[2].attentions[1]
    with pytest.raises(AttentionError, match=r"up_blocks\.2\.attentions\.1\.transformer_blocks\.0\.attn2") as error:
        guide(pipe, PROMPT)
    assert "`GuidanceConfig(layers=...)`, which `infsplign calibrate` finds" in str(error.value)


@pytest.mark.parametrize(("value", "steps"), [(float("nan"), 4), (float("inf"), 4), (float("nan"), 3)])
def test_a_non_finite_gradient_names_the_step_and_keeps_the_latents(value, steps):
    """The error comes a step later, or at once in the last step; it is about the step that did it."""
    pipe = tiny.sd()
    seen = []

    def poison(_pipe, step, _timestep, kwargs):
        seen.append(kwargs["latents"].clone())
        if step == 1:  # the step after this one computes a gradient that is not finite
            pipe.unet.up_blocks[1].attentions[0].transformer_blocks[0].attn2.to_k.weight.data.fill_(value)
        return kwargs

    with pytest.raises(NonFiniteGradientError, match="step 2") as error, guide(pipe, PROMPT, config=PAPER):
        run(pipe, num_inference_steps=steps, callback_on_step_end=poison)
    assert error.value.step == 2
    assert torch.equal(error.value.latents, seen[1])
    assert torch.isfinite(error.value.latents).all()


def test_the_scheduler_may_be_replaced_inside():
    """Both are wrapped while the block is open, and neither after it."""
    pipe = tiny.sd()
    first, second = pipe.scheduler, DDIMScheduler.from_config(pipe.scheduler.config)
    with guide(pipe, PROMPT, config=PAPER) as guidance:
        expected = run(pipe)
        pipe.scheduler = second
        assert torch.equal(run(pipe), expected)
    assert [step.guided for step in guidance.trace] == [True] * 3
    assert not {"step", "set_timesteps"} & {*vars(first), *vars(second)}


def test_embeddings_that_change_during_a_call_are_reported():
    """A callback may put in another prompt, whose objects are elsewhere in the text. One that ends classifier-free guidance keeps it."""
    pipe = tiny.sd()

    def other(_pipe, step, _t, tensors):
        return {"prompt_embeds": tensors["prompt_embeds"].flip(1)} if step == 0 else {}

    def without_negative(pipe, step, _t, tensors):
        if step:
            return {}
        pipe._guidance_scale = 0.0
        return {"prompt_embeds": tensors["prompt_embeds"].chunk(2)[-1]}

    inputs = {"callback_on_step_end_tensor_inputs": ["latents", "prompt_embeds"]}
    with guide(pipe, PROMPT), pytest.warns(UserWarning, match="embeddings of the prompt changed before step 1 of a call"):
        run(pipe, callback_on_step_end=other, **inputs)
    with guide(pipe, PROMPT, config=PAPER) as guidance, warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        run(pipe, callback_on_step_end=without_negative, **inputs)
    assert [step.guided for step in guidance.trace] == [True] * 3


def test_embeddings_without_their_first_tokens_are_not_those_of_the_prompt():
    """All positions would be one too far."""
    pipe = tiny.sd()
    for part, told in ((slice(1, 21), pytest.warns(UserWarning, match="weighted or changed")), (slice(20), contextlib.nullcontext())):
        with guide(pipe, PROMPT), told:
            embeds = pipe.encode_prompt(PROMPT, "cpu", 1, False)[0][:, part]
            run(pipe, None, prompt_embeds=embeds, negative_prompt_embeds=torch.zeros_like(embeds))


def test_guidance_that_was_never_entered_is_warned_of(recwarn):
    gc.collect()  # those of other tests
    recwarn.clear()
    with guide(tiny.sd(), PROMPT):
        pass
    guide(tiny.sd(), PROMPT).dismiss()
    gc.collect()
    assert not [w for w in recwarn if "never entered" in str(w.message)]
    recwarn.clear()
    guide(tiny.sd(), PROMPT)
    gc.collect()
    assert "no image was guided by it: write `with infsplign.guide(" in str(recwarn.pop(UserWarning).message)


@pytest.mark.parametrize("make", [tiny.sd, tiny_transformers.sd3], ids=["one tokenizer", "CLIP and T5"])
def test_token_indices_that_are_elsewhere_than_the_objects_are_told(make, recwarn):
    """As where words are counted, or the padding is meant: the objects' own tokens are known from the prompt."""
    pipe = make()
    with guide(pipe, PROMPT) as read:
        pipe(PROMPT, num_inference_steps=1, output_type="latent")
    first, second = read.token_indices[0]
    recwarn.clear()
    for fine in ([first, second], [first[:1], (*second, 40)], [first[-1:], second[-1:]]):
        guide(pipe, PROMPT, token_indices=fine).dismiss()
    guide(pipe, "a (circle:1.3) to the left of a square", token_indices=[[3], [9]]).dismiss()  # as another program encodes it
    guide(pipe, relations=[("circle", "left of", "square")], token_indices=[[50], [60]]).dismiss()
    guide(pipe, PROMPT, relations=[("circle", "left of", "square")], token_indices=[first, second]).dismiss()
    assert not [told for told in recwarn if "token_indices" in str(told.message)]
    for wrong in ([[0], second], [[60], second], [second, first]):
        with pytest.warns(UserWarning, match=rf"`token_indices` of 'circle' are \[.*\], and its tokens in the prompt are \[{first[0]}"):
            guide(pipe, PROMPT, token_indices=wrong).dismiss()
