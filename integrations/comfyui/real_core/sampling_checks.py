"""Checks of the sampling itself: against the engine, by rows, with all kinds of samplers, in half precision, after an interrupt."""

from collections.abc import Iterator
from typing import Any

import torch

from integrations.comfyui.real_core.world import World, guided_passes, module

SAMPLERS = ("euler", "euler_ancestral", "euler_cfg_pp", "heun", "dpm_2", "lms", "dpm_adaptive", "dpmpp_2m", "dpmpp_sde", "uni_pc", "ddim")
SCHEDULES = ("normal", "karras", "simple", "beta")


def same_without_guidance(world: World) -> str:
    """Strength 0, an empty window, and sampling without guidance after sampling with it: bit by bit the same."""
    plain = world.sample(world.model)
    assert torch.equal(world.sample(world.guided(strength=0.0)), plain)
    assert torch.equal(world.sample(world.guided(start=0.3, stop=0.3)), plain)
    patcher = world.guided()
    one, two = world.sample(patcher), world.sample(patcher)
    assert torch.equal(one, two)
    assert not torch.equal(one, plain)
    assert torch.equal(world.sample(world.model), plain)
    return "bit-identical; two guided runs too"


def same_as_the_engine(world: World) -> str:
    """The shift of the first step, against `Steps` and maps recorded from torch's attention."""
    import infsplign
    from infsplign.adapters import AttentionRecorder

    seen: dict[str, Any] = {}
    patcher = world.guided()
    patcher.set_model_sampler_post_cfg_function(lambda args: seen.setdefault("guided", args)["denoised"])
    world.sample(patcher, rows=2)
    plain = world.model.clone()
    plain.set_model_sampler_post_cfg_function(lambda args: seen.setdefault("plain", args)["denoised"])
    world.sample(plain, rows=2)
    args, model = seen["plain"], world.model.model
    function = patcher.model_options["sampler_post_cfg_function"][0]
    source = module("unet_pass").UNetPass(model.diffusion_model)
    layers = {level: tuple(name for at, name in source.layers if at == level) for level in ("coarse", "middle")}
    with torch.inference_mode(False):
        sigma, x = args["sigma"].clone(), args["input"].clone()
        factor = (1 + sigma**2).reshape(-1, 1, 1, 1) ** -0.5
        conds = {name: cond.process_cond(batch_size=2, area=None).cond.clone() for name, cond in args["cond"][0]["model_conds"].items()}

        def denoiser(x_in: torch.Tensor, _timestep: Any) -> Any:
            options = {"optimized_attention_override": module("unet_pass")._differentiable}
            with module("weights").usable_weights(model.diffusion_model):
                return model.apply_model(x_in / factor, sigma, transformer_options=options, **conds)

        recorder = AttentionRecorder(model.diffusion_model, layers)
        guidance = infsplign.Guidance(denoiser, recorder, function.prompt.scene, function.prompt.positions, function.config)
        guidance.module = None
        steps = infsplign.Steps(guidance, torch.arange(4.0).flip(0))
        with module("weights").usable_weights(model.diffusion_model):
            steps(x * factor, torch.tensor(3.0))
        noise = steps.shifted(torch.zeros_like(x))
    shift = seen["guided"]["denoised"] - args["denoised"]
    worst = float((shift + sigma.reshape(-1, 1, 1, 1) * noise).norm() / shift.norm())
    assert worst < 1e-3, worst
    return f"relative difference {worst:.0e}"


def rows_alone(world: World) -> str:
    """A batch of two against each image alone, after one step."""
    patcher = world.guided()
    noise = {"latent_image": {"samples": torch.zeros(2, 4, 16, 16)}, "steps": 1}
    together = world.sample(patcher, **noise)
    alone = [world.sample(patcher, steps=1, latent_image={"samples": torch.zeros(1, 4, 16, 16), "batch_index": [i]}) for i in range(2)]
    worst = float((together - torch.cat(alone)).norm() / together.norm())
    assert worst < 1e-3, worst
    return f"relative difference {worst:.0e}"


def samplers(world: World) -> Iterator[tuple[str, str]]:
    for number, name in enumerate(SAMPLERS):
        schedule = SCHEDULES[number % len(SCHEDULES)]
        patcher = world.guided()
        latents = world.sample(patcher, sampler_name=name, scheduler=schedule)
        guided = [step.guided for step in world.trace(patcher)]
        assert torch.isfinite(latents).all()
        assert any(guided)
        yield f"`{name}`, {schedule}", f"{sum(guided)} of {len(guided)} passes guided"


def other_ways(world: World) -> Iterator[tuple[str, str]]:
    patcher = world.guided()
    guider = world.node("CFGGuider", model=patcher, positive=world.positive, negative=world.negative, cfg=5.0)[0]
    sigmas = world.node("BasicScheduler", model=patcher, scheduler="karras", steps=4, denoise=1.0)[0]
    noise, sampler = world.node("RandomNoise", noise_seed=0)[0], world.node("KSamplerSelect", sampler_name="euler")[0]
    latent = {"samples": torch.zeros(1, 4, 16, 16)}
    for _ in range(2):  # with the same SIGMAS: a new run each time
        world.node("SamplerCustomAdvanced", noise=noise, guider=guider, sampler=sampler, sigmas=sigmas, latent_image=latent)
        assert len(world.trace(patcher)) == 4
    yield "SamplerCustomAdvanced, twice with the same SIGMAS", guided_passes(world, patcher)
    masked = world.node("SetLatentNoiseMask", samples=latent, mask=torch.ones(1, 128, 128))[0]
    for name, inputs in {"cfg 1": {"cfg": 1.0}, "denoise 0.5": {"denoise": 0.5}, "a mask for inpainting": {"latent_image": masked}}.items():
        patcher = world.guided()
        assert torch.isfinite(world.sample(patcher, **inputs)).all()
        yield name, guided_passes(world, patcher)


def interrupted(world: World) -> str:
    import comfy.model_management as management  # pyright: ignore[reportMissingImports]

    patcher = world.guided()
    plain, wanted = world.sample(world.model), world.sample(patcher)
    before = {name: id(value) for name, value in world.model.model.named_parameters()}
    stopping = patcher.clone()
    stopping.set_model_sampler_post_cfg_function(lambda _args: _interrupt(management))
    try:
        world.sample(stopping)
    except management.InterruptProcessingException:
        pass
    else:
        raise AssertionError("not interrupted")
    assert {name: id(value) for name, value in world.model.model.named_parameters()} == before
    assert torch.equal(world.sample(world.model), plain)
    assert torch.equal(world.sample(patcher), wanted)
    return "the same weights, and bit-identical runs afterwards"


def _interrupt(management: Any) -> None:
    management.interrupt_current_processing()
    management.throw_exception_if_processing_interrupted()


def half(world: World) -> Iterator[tuple[str, str]]:
    for dtype in (torch.bfloat16, torch.float16):
        small = World(world.family, dtype)
        patcher = small.guided()
        assert torch.isfinite(small.sample(patcher)).all()
        yield f"U-Net in {str(dtype).removeprefix('torch.')}", guided_passes(small, patcher)
