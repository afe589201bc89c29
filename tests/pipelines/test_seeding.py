"""An image depends on its seed alone, also where a scheduler draws noise at each step."""

import warnings

import numpy as np
import pytest
import torch
from diffusers import EulerAncestralDiscreteScheduler, FlowMatchEulerDiscreteScheduler, FlowMatchLCMScheduler

from infsplign import RECOMMENDED
from infsplign.evaluation.running.sampler import PipelineSampler
from infsplign.generation.job import Job
from infsplign.generation.options import GenerateOptions
from infsplign.pipelines.seeding import seeded
from infsplign.pipelines.starts import rank_seeds
from tests import tiny, tiny_transformers

PROMPT = "a circle to the left of a square"
SD3 = {"height": 32, "width": 32, "max_sequence_length": 48}


def with_scheduler(make, scheduler):
    pipe = make()
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = scheduler(pipe.scheduler.config)
    return pipe


class GlobalNoise(FlowMatchEulerDiscreteScheduler):
    """Draws from torch's global generator, as a Brownian tree does."""

    def step(self, model_output, timestep, sample, **kwargs):
        return super().step(model_output + torch.randn_like(model_output), timestep, sample, **kwargs)


MADE = {
    "SD3, Euler with noise": (tiny_transformers.sd3, lambda _: FlowMatchEulerDiscreteScheduler(stochastic_sampling=True), SD3, False),
    "SD3, LCM": (tiny_transformers.sd3, lambda _: FlowMatchLCMScheduler(), SD3, False),
    "SD, ancestral": (tiny.sd, EulerAncestralDiscreteScheduler.from_config, {"height": 32, "width": 32}, False),
    "the global generator": (tiny_transformers.sd3, lambda _: GlobalNoise(), SD3, True),
}


@pytest.mark.parametrize("config", [None, RECOMMENDED], ids=["unguided", "guided"])
@pytest.mark.parametrize("name", MADE)
def test_a_batch_has_the_images_of_its_seeds(name, config):
    make, scheduler, call, alone = MADE[name]
    sampler = PipelineSampler(with_scheduler(make, scheduler), steps=3, guidance_scale=3.0, call=call, keep_traces=True)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    pair = sampler([PROMPT, PROMPT], [0, 1], config)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(sampler.traces) == (2 if config else 0)
    torch.manual_seed(8)
    again, (other,) = sampler([PROMPT, PROMPT], [0, 1], config), sampler([PROMPT], [1], config)
    assert sampler.alone == alone
    for one, same in zip([*pair, pair[1]], [*again, other], strict=True):
        assert np.abs(np.asarray(one).astype(int) - np.asarray(same).astype(int)).max() <= 1
    assert np.abs(np.asarray(pair[0]).astype(int) - np.asarray(pair[1]).astype(int)).max() > 10


@pytest.mark.parametrize("noisy", [True, False])
def test_ranked_seeds_tell_of_noise_that_is_not_of_the_seed(noisy):
    pipe = with_scheduler(tiny_transformers.sd3, lambda _: FlowMatchEulerDiscreteScheduler(stochastic_sampling=noisy))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        rank_seeds(pipe, PROMPT, [0, 1], steps=2, num_inference_steps=4, **SD3)
    assert any("draws noise from torch's global generator" in str(warning.message) for warning in told) == noisy


def test_the_command_s_seed_decides_all_noise():
    pipe = with_scheduler(tiny_transformers.sd3, lambda _: FlowMatchLCMScheduler())
    options = GenerateOptions(PROMPT, "some/model", steps=2, height=32, width=32, seed=5, images=2)
    first, second = (Job(pipe, options, *options.scene()).sample(0, "unguided") for _ in range(2))
    assert first.tobytes() == second.tobytes() != Job(pipe, options, *options.scene()).sample(1, "unguided").tobytes()


def test_a_generator_that_the_pipeline_gives_is_kept():
    scheduler, own = FlowMatchEulerDiscreteScheduler(stochastic_sampling=True), torch.Generator().manual_seed(3)
    given = []
    scheduler.step = lambda *_, generator=None: given.append(generator)
    step, other = scheduler.step, torch.Generator()
    with seeded(scheduler, [0], [other]):
        scheduler.step(1, 2, 3, generator=own)
        scheduler.step(1, 2, 3, generator=None)
        scheduler.step(1, 2, 3)
    assert given == [own, other, other]
    assert scheduler.step is step
