"""Stock pipelines of diffusers, built from the parts of the tiny ones: what `guide` makes of each."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import diffusers
import numpy as np
import torch
from PIL import Image

from infsplign import AttentionError, PromptError, UnsupportedPipelineError, guide
from tests import tiny, tiny_transformers
from tests.support.helpers import PROMPT, STRONG

SIDE = 64
PICTURE = Image.new("RGB", (SIDE, SIDE), (200, 30, 60))
MASK = Image.new("L", (SIDE, SIDE), 255)
MASK.paste(0, (0, 0, SIDE // 2, SIDE))


def control_net(pipe: Any) -> Any:
    """A ControlNet of the pipeline's UNet."""
    return diffusers.ControlNetModel.from_unet(pipe.unet, conditioning_embedding_out_channels=(8, 8)).eval()


def control_net_union(pipe: Any) -> Any:
    """A ControlNet for six kinds of conditions, of the pipeline's UNet."""
    torch.manual_seed(1)
    unet = pipe.unet.config
    return diffusers.ControlNetUnionModel(
        block_out_channels=unet.block_out_channels, down_block_types=unet.down_block_types, layers_per_block=unet.layers_per_block,
        transformer_layers_per_block=unet.transformer_layers_per_block, attention_head_dim=unet.attention_head_dim,
        cross_attention_dim=unet.cross_attention_dim, addition_embed_type="text_time", use_linear_projection=True, norm_num_groups=4,
        addition_time_embed_dim=unet.addition_time_embed_dim, conditioning_embedding_out_channels=(8, 8),
        projection_class_embeddings_input_dim=unet.projection_class_embeddings_input_dim, num_control_type=6,
        num_trans_channel=8, num_trans_head=2, num_trans_layer=1, num_proj_channel=8,
    ).eval()  # fmt: skip


def adapter(pipe: Any) -> Any:
    """A T2I-Adapter for the pipeline's UNet."""
    xl = "text_encoder_2" in pipe.components
    widths = list(pipe.unet.config.block_out_channels)
    widths += [widths[-1]] * (4 - len(widths))
    options = {"channels": widths, "num_res_blocks": 1, "downscale_factor": 4 if xl else 2}
    return diffusers.T2IAdapter(in_channels=3, adapter_type="full_adapter_xl" if xl else "full_adapter", **options).eval()


FAMILY: dict[str, Callable[..., Any]] = {"sd": tiny.sd, "sdxl": tiny.sdxl} | tiny_transformers.MAKERS
PARTS: dict[str, Callable[[Any], Any]] = {
    "adapter": adapter,
    "inverse_scheduler": lambda _: diffusers.DDIMInverseScheduler(**tiny.SD_SCHEDULE),
    "low_res_scheduler": lambda _: diffusers.DDPMScheduler(),
}
EMPTY = ("safety_checker", "feature_extractor", "image_encoder", "watermarker", "caption_generator", "caption_processor")
OPTIONS: dict[str, Any] = {"requires_safety_checker": False, "add_watermarker": False}
LAYERS = {"sd": "mid", "sdxl": "mid", "pixart": "blocks.0", "sana": "blocks.0", "hunyuandit": "blocks.0", "sd3": "blocks.0"}
CALL: dict[str, Callable[[], Any]] = {
    "image": lambda: PICTURE,
    "control_image": lambda: PICTURE,
    "source_image": lambda: PICTURE,
    "mask_image": lambda: MASK,
    "control_mask": lambda: MASK,
    "height": lambda: SIDE,
    "width": lambda: SIDE,
    "strength": lambda: 0.6,
    "output_type": lambda: "latent",
}


class Stock(NamedTuple):
    """A pipeline class: its family, changes to the tiny one's parts, and what it is called with besides what its signature asks for."""

    name: str
    family: str
    parts: dict[str, Callable[[Any], Any]] = {}  # noqa: RUF012
    make: dict[str, Any] = {}  # noqa: RUF012
    call: dict[str, Any] = {}  # noqa: RUF012

    @property
    def label(self) -> str:
        """The name, with what else tells it from another row."""
        return self.name + "".join(f" with {key}={value}" for key, value in self.make.items())

    def build(self) -> Any:
        """The pipeline, of tiny random parts."""
        kind, parts = getattr(diffusers, self.name), FAMILY[self.family](**self.make)
        made = {"pag_applied_layers": lambda _: LAYERS[self.family]} | PARTS | self.parts
        components: dict[str, Any] = {}
        for name, parameter in inspect.signature(kind.__init__).parameters.items():
            if name in made:
                components[name] = made[name](parts)
            elif name in parts.components:
                components[name] = parts.components[name]
            elif name in OPTIONS:
                components[name] = OPTIONS[name]
            elif name in EMPTY:
                components[name] = None
            elif name != "self" and parameter.default is parameter.empty:
                raise TypeError(f"{self.name} needs `{name}`")
        pipe = kind(**components)
        pipe.set_progress_bar_config(disable=True)
        if getattr(pipe, "vae", None) is None:
            pipe.vae_scale_factor = parts.vae_scale_factor
        return pipe

    def run(self, pipe: Any) -> Any:
        """A call of the pipeline, from seed 0."""
        taken = inspect.signature(type(pipe).__call__).parameters
        usual = tiny_transformers.CALLS.get(self.family, {})
        call = {name: value() for name, value in CALL.items() if name in taken} | {k: v for k, v in usual.items() if k in taken}
        call |= {"prompt": PROMPT, "num_inference_steps": 2, "generator": torch.Generator().manual_seed(0)}
        torch.manual_seed(0)  # some encode a picture with numbers of their own
        out = pipe(**{k: v for k, v in (call | self.call).items() if k in taken})
        out = out[0] if isinstance(out, tuple) else out.images if hasattr(out, "images") else out.rgb
        return out if isinstance(out, torch.Tensor) else out[0]

    def guided(self) -> str:
        """What becomes of a guided call: "works", or how it was refused.

        Raises:
            AssertionError: the image is the same, the pipeline is not what it was, or the error is none that tells what to do.
        """
        pipe = self.build()
        plain = self.run(pipe)  # whatever this raises is a fault of the row, not of guidance
        try:
            with guide(pipe, PROMPT, config=STRONG) as guidance:
                moved = self.run(pipe)
        except (UnsupportedPipelineError, AttentionError, PromptError, ValueError) as error:
            outcome = f'refused: `{type(error).__name__}`, "{str(error).split("; ")[0].split(": ")[-1]}"'
        else:
            assert not _equal(plain, moved), "guidance did nothing"
            steps = [step.guided for step in guidance.trace]
            outcome = "works" if all(steps) else f"works at {sum(steps)} of {len(steps)} steps"
        assert _equal(plain, self.run(pipe)), "the pipeline is not what it was"
        return outcome


def _equal(a: Any, b: Any) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)  # CycleDiffusion gives NaN on tiny weights, guided or not
