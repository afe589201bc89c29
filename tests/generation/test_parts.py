"""Parts in place of a pipeline's own, and its place in memory."""

import re
import warnings

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler
from hypothesis import given
from hypothesis import strategies as st

from infsplign.generation.models import quiet
from infsplign.generation.parts import SCHEDULERS, Lora, Parts, check_offload, parse_lora, place
from tests import tiny, tiny_transformers
from tests.generation.test_models import without


@pytest.mark.parametrize("name", [name for name in SCHEDULERS if not name.startswith("flow")])
def test_every_short_name_is_a_scheduler_of_a_noise_model(name):
    pipe = tiny.sd()
    Parts(scheduler=name).fit(pipe)
    assert type(pipe.scheduler).__name__ == SCHEDULERS[name]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("DDIMInverseScheduler", "goes from an image to noise"),
        ("DPMSolverMultistepInverseScheduler", "goes from an image to noise"),
        ("RePaintScheduler", "its steps need 'original_image' and 'mask' beside the latents"),
    ],
)
def test_schedulers_that_do_something_else_are_refused(name, message):
    with pytest.raises(ValueError, match=f"`--scheduler` '{name}' .*{message}"):
        Parts(scheduler=name).fit(tiny.sd())


def test_schedulers_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="`--scheduler` 'flow-euler'"):
        Parts(scheduler="flow-euler").fit(tiny.sd())
    with pytest.raises(ValueError, match="is no class of diffusers"):
        Parts(scheduler="NoSuchScheduler").fit(tiny.sd())
    with pytest.raises(ValueError, match="`--scheduler` 'ddim'"):
        Parts(scheduler="ddim").fit(tiny_transformers.sd3())
    with pytest.raises(ValueError, match="must be ddim, .* got 'eulre'"):
        Parts(scheduler="eulre").check()


@pytest.mark.parametrize("name", ["flow-euler", "flow-heun", "dpm++", "unipc", "FlowMatchEulerDiscreteScheduler"])
def test_flow_models_keep_predicting_a_flow(name):
    pipe = tiny_transformers.sd3()
    pipe.scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    Parts(scheduler=name).fit(pipe)
    config = pipe.scheduler.config
    assert config.get("flow_shift", config.get("shift")) == 3.0


@pytest.mark.parametrize("name", ["ddim", "ddpm", "lcm", "tcd"])
def test_latents_are_not_clipped_where_the_models_own_scheduler_has_no_such_option(name):
    """DDIM's and DDPM's default cuts them to [-1, 1], which washes the colours out."""
    pipe = tiny.sd()
    pipe.scheduler = DPMSolverMultistepScheduler()
    Parts(scheduler=name).fit(pipe)
    assert pipe.scheduler.config.clip_sample is False
    pipe.scheduler = DDPMScheduler(clip_sample=True)  # a model of pixels
    Parts(scheduler=name).fit(pipe)
    assert pipe.scheduler.config.clip_sample is True


@pytest.mark.parametrize("name", [name for name in SCHEDULERS if not name.startswith("flow")])
def test_a_scheduler_keeps_the_noise_levels_or_is_refused(name):
    pipe = tiny.sd()
    own = DDIMScheduler(**tiny.SD_SCHEDULE, prediction_type="v_prediction", rescale_betas_zero_snr=True)
    pipe.scheduler = own
    if name in ("pndm", "heun", "lms", "dpm++-singlestep", "kdpm2", "kdpm2-a", "deis"):
        with pytest.raises(ValueError, match=f"{re.escape(repr(name))} does not fit: its noise levels .* no zero terminal"):
            Parts(scheduler=name).fit(pipe)
        assert pipe.scheduler is own
    else:
        Parts(scheduler=name).fit(pipe)
        assert torch.allclose(pipe.scheduler.alphas_cumprod, own.alphas_cumprod, atol=1e-6)


def test_noise_levels_are_kept_also_where_they_are_defaults_of_the_models_own_scheduler():
    """LCM has other defaults, which diffusers would take instead."""
    pipe = tiny.sd()
    pipe.scheduler = own = DDIMScheduler()
    Parts(scheduler="lcm").fit(pipe)
    assert torch.equal(pipe.scheduler.alphas_cumprod, own.alphas_cumprod)


def test_a_scheduler_with_noise_levels_of_its_own_is_refused():
    with pytest.raises(ValueError, match="not those that the model was trained with$"):
        Parts(scheduler="CogVideoXDDIMScheduler").fit(tiny.sd())


def test_an_autoencoder_must_have_as_many_channels(tmp_path):
    tiny.vae().save_pretrained(tmp_path / "fits")
    pipe = tiny.sd()
    before = pipe.vae
    Parts(vae=str(tmp_path / "fits")).fit(pipe)
    assert pipe.vae is not before
    tiny.sd().unet.save_pretrained(tmp_path / "unet")
    with pytest.raises(ValueError, match="must be an autoencoder of 4 latent channels"):
        Parts(vae=str(tmp_path / "unet")).fit(pipe)
    with pytest.raises(OSError, match="`--vae` .* could not be loaded"):
        Parts(vae=str(tmp_path)).fit(pipe)


def test_an_autoencoder_must_make_images_of_the_same_size(tmp_path):
    tiny.vae(4).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="must halve the image as often as the model's own, 1 times; it does 2 times"):
        Parts(vae=str(tmp_path)).fit(tiny.sd())


def test_an_autoencoder_of_a_single_file_keeps_the_models_configuration(tmp_path):
    """The file does not say its scale: diffusers would ask the hub for that of Stable Diffusion 1.5, also for SDXL."""
    saved = tiny.vae()
    saved.save_pretrained(tmp_path)
    pipe = tiny.sd()
    pipe.vae.register_to_config(scaling_factor=0.13025)
    Parts(vae=str(tmp_path / "diffusion_pytorch_model.safetensors")).fit(pipe)
    assert pipe.vae.config.scaling_factor == 0.13025
    assert torch.equal(pipe.vae.decoder.conv_in.weight, saved.decoder.conv_in.weight)


def test_an_autoencoder_without_some_of_its_weights_is_refused(tmp_path):
    tiny.vae().save_pretrained(tmp_path)
    without(tmp_path / "diffusion_pytorch_model.safetensors", "decoder.conv_in.weight")
    with pytest.raises(OSError, match=r"`--vae` .* the weights of AutoencoderKL lack 'decoder.conv_in.weight'"):
        Parts(vae=str(tmp_path)).fit(tiny.sd())
    with pytest.raises(OSError, match="`--vae` .* could not be loaded"):
        Parts(vae=str(tmp_path / "diffusion_pytorch_model.safetensors")).fit(tiny.sd())


def test_a_lora_changes_the_model_by_its_weight(tmp_path):
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    donor = tiny.sd()
    donor.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"], init_lora_weights=False))
    donor.save_lora_weights(tmp_path, unet_lora_layers=get_peft_model_state_dict(donor.unet))
    x, t, text = torch.randn(1, 4, 16, 16), torch.tensor(10), torch.randn(1, 77, 32)
    outputs = []
    for loras in ((), (Lora(str(tmp_path), 0.0),), (Lora(str(tmp_path)),)):
        pipe = tiny.sd()
        Parts(loras=loras).fit(pipe)
        with torch.no_grad():
            outputs.append(pipe.unet(x, t, text).sample)
    assert torch.allclose(outputs[0], outputs[1], atol=1e-6)
    assert not torch.allclose(outputs[0], outputs[2], atol=1e-4)


def test_a_lora_without_weights_for_the_model_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"unknown.weight": torch.zeros(1)}, tmp_path / "lora.safetensors")
    with pytest.raises((ValueError, OSError), match="`--lora`"):
        Parts(loras=(Lora(str(tmp_path / "lora.safetensors")),)).fit(tiny.sd())


def test_weights_of_a_lora_that_fit_no_layer_are_told(tmp_path):
    """Diffusers loads the others, and only logs it."""
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict
    from safetensors.torch import save_file

    donor = tiny.sd()
    donor.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"], init_lora_weights=False))
    weights = {f"unet.{name}": value.clone() for name, value in get_peft_model_state_dict(donor.unet).items()}
    save_file(weights, tmp_path / "whole.safetensors")
    more = {name.replace("down_blocks.0", "down_blocks.7"): value.clone() for name, value in weights.items()}
    save_file(more | weights, tmp_path / "more.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        Parts(loras=(Lora(str(tmp_path / "whole.safetensors")),)).fit(tiny.sd())
    with quiet(), pytest.warns(UserWarning, match=r"more.safetensors' has weights that fit no layer.*down_blocks\.7"):
        Parts(loras=(Lora(str(tmp_path / "more.safetensors")),)).fit(tiny.sd())


def test_weights_of_a_lora_for_a_part_that_is_not_there_are_told(tmp_path):
    """Diffusers leaves them out without a word."""
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict
    from safetensors.torch import save_file

    donor = tiny.sd()
    donor.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"], init_lora_weights=False))
    weights = {f"unet.{name}": value.clone() for name, value in get_peft_model_state_dict(donor.unet).items()}
    save_file(weights | {"transformer.blocks.0.lora_A.weight": torch.zeros(2, 2)}, tmp_path / "both.safetensors")
    with quiet(), pytest.warns(UserWarning, match=r"both.safetensors' has weights that fit no layer.*transformer\.blocks\.0"):
        Parts(loras=(Lora(str(tmp_path / "both.safetensors")),)).fit(tiny.sd())


def test_a_folder_of_several_loras_is_refused(tmp_path):
    """Diffusers takes the first one of the listing, and only logs it."""
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    donor = tiny.sd()
    donor.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"], init_lora_weights=False))
    weights = get_peft_model_state_dict(donor.unet)
    for name in ("a", "b"):
        donor.save_lora_weights(tmp_path, unet_lora_layers=weights, weight_name=f"{name}.safetensors")
    with quiet(), pytest.raises(ValueError, match="`--lora` .* holds several files of weights; name one of the files"):
        Parts(loras=(Lora(str(tmp_path)),)).fit(tiny.sd())
    Parts(loras=(Lora(str(tmp_path / "a.safetensors")),)).fit(tiny.sd())


@pytest.mark.parametrize(("text", "weight"), [("a=.5", 0.5), ("a=1.", 1.0), ("a=+2", 2.0), ("a=-0.5", -0.5)])
def test_weights_of_loras_are_read_however_they_are_written(text, weight):
    assert parse_lora(text) == Lora("a", weight)


@given(st.text(max_size=20), st.floats(0, 10).map(lambda x: round(x, 3)))
def test_loras_have_names_and_weights(name, weight):
    name = f"n{name}"
    assert parse_lora(f"{name}={weight:.3f}") == Lora(name, weight)
    assert parse_lora(f"{name}=").name == f"{name}="


def test_a_folder_that_is_called_like_a_weight_is_a_name(tmp_path):
    folder = tmp_path / "lr=0.001"
    assert parse_lora(str(folder)) == Lora(str(tmp_path / "lr"), 0.001)
    folder.mkdir()
    assert parse_lora(str(folder)) == Lora(str(folder))
    assert parse_lora(f"{folder}=0.5") == Lora(str(folder), 0.5)


@pytest.mark.parametrize("parts", [Parts(vae="./nowhere"), Parts(loras=(Lora("no.safetensors"),))])
def test_files_that_are_not_there(parts):
    with pytest.raises(FileNotFoundError, match="is neither a file"):
        parts.check()


def test_offloading_is_asked_of_the_pipeline_and_refused_on_a_cpu(monkeypatch):
    pipe, calls = tiny.sd(), []
    for name in ("enable_model_cpu_offload", "enable_sequential_cpu_offload"):
        monkeypatch.setattr(type(pipe), name, lambda self, device, name=name: calls.append((name, device)))
    gpu = torch.device("cuda", 0)
    assert place(pipe, gpu, "model") is pipe
    place(pipe, gpu, "sequential")
    assert calls == [("enable_model_cpu_offload", gpu), ("enable_sequential_cpu_offload", gpu)]
    with pytest.raises(ValueError, match="of no use on the CPU"):
        place(pipe, torch.device("cpu"), "model")
    with pytest.raises(ValueError, match="must be model or sequential, got 'all'"):
        check_offload("all", "auto")
