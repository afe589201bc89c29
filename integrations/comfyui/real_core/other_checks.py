"""Checks with other nodes on the model and on the conditioning, of prompts, and of the example workflow."""

import asyncio
import json
import tempfile
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import MagicMock

import torch

from integrations.comfyui.real_core.models import LAYOUTS, filled
from integrations.comfyui.real_core.world import PACK, PROMPT, World, guided_passes, module


def other_nodes(world: World) -> Iterator[tuple[str, str]]:
    def through(name: str, after: bool = False, **inputs: Any) -> Any:
        if after:
            return world.node(name, model=world.guided(), **inputs)[0]
        return world.guided(world.node(name, model=world.model, **inputs)[0])

    with torch.inference_mode():
        key = next(name for name in world.model.model.state_dict() if name.endswith("output_blocks.4.1.proj_in.weight"))
        lora = world.model.clone()
        lora.add_patches({key: ("diff", (torch.ones_like(world.model.model.state_dict()[key]),))}, 0.1)
    cases = {
        "FreeU_V2": through("FreeU_V2", b1=1.3, b2=1.4, s1=0.9, s2=0.2),
        "HyperTile": through("HyperTile", tile_size=64, swap_size=2, max_depth=0, scale_depth=False),
        "TomePatchModel": through("TomePatchModel", ratio=0.3),
        "PerturbedAttentionGuidance, before": through("PerturbedAttentionGuidance", scale=3.0),
        "PerturbedAttentionGuidance, after": through("PerturbedAttentionGuidance", after=True, scale=3.0),
        "RescaleCFG": through("RescaleCFG", multiplier=0.7),
        "a weight patch (LoRA)": world.guided(lora),
    }
    for name, patcher in cases.items():
        assert torch.isfinite(world.sample(patcher)).all()
        yield name, guided_passes(world, patcher)


def conditionings(world: World) -> Iterator[tuple[str, str]]:
    other = world.encode("a house")
    guided = {
        "ConditioningCombine": world.node("ConditioningCombine", conditioning_1=other, conditioning_2=world.positive)[0],
        "ConditioningConcat": world.node("ConditioningConcat", conditioning_to=other, conditioning_from=world.positive)[0],
        "ConditioningSetTimestepRange": world.node("ConditioningSetTimestepRange", conditioning=world.positive, start=0.0, end=0.5)[0],
        "a prompt that goes on": world.encode(f"{PROMPT}, oil painting"),
    }
    for name, positive in guided.items():
        patcher = world.guided()
        world.sample(patcher, positive=positive)
        yield name, guided_passes(world, patcher)
    area = world.node("ConditioningSetArea", conditioning=world.positive, width=64, height=64, x=0, y=0, strength=1.0)[0]
    mask = world.node(
        "ConditioningSetMask", conditioning=world.positive, mask=torch.ones(1, 16, 16), strength=1.0, set_cond_area="default"
    )[0]
    for name, positive in {"another prompt": other, "ConditioningSetArea": area, "ConditioningSetMask": mask}.items():
        patcher = world.guided()
        message = _refused(lambda patcher=patcher, positive=positive: world.sample(patcher, positive=positive))
        yield name, f"refused: {message.splitlines()[0][:90]}..."


def _refused(call: Callable[[], Any]) -> str:
    try:
        call()
    except ValueError as error:
        return str(error)
    raise AssertionError("this must be refused")


def controlnet(world: World) -> str:
    import comfy.cldm.cldm  # pyright: ignore[reportMissingImports]
    import comfy.controlnet  # pyright: ignore[reportMissingImports]
    import comfy.ops  # pyright: ignore[reportMissingImports]

    shape = {key: value for key, value in LAYOUTS[world.family].items() if key not in ("out_channels", "transformer_depth_output")}
    operations = comfy.ops.disable_weight_init
    net = comfy.cldm.cldm.ControlNet(**shape, hint_channels=3, num_heads=4, dtype=torch.float32, operations=operations)
    control = comfy.controlnet.ControlNet(filled(net.eval()), load_device=torch.device("cpu"))
    positive = world.node(
        "ControlNetApply", conditioning=world.positive, control_net=control, image=torch.rand(1, 128, 128, 3), strength=0.5
    )[0]
    patcher = world.guided()
    assert torch.isfinite(world.sample(patcher, positive=positive)).all()
    return guided_passes(world, patcher)


def prompts(world: World) -> Iterator[tuple[str, str]]:
    long = ", ".join(["a very detailed oil painting of a quiet morning"] * 10)
    cases = {
        "weights": "a (red cat:1.3) to the left of a ((dog))",
        "an escaped bracket": r"a cat \(old\) to the left of a dog",
        "behind 77 tokens": f"{long}, {PROMPT}",
        "an embedding of two vectors": "an embedding:kitty to the left of a dog",
    }
    from safetensors.torch import save_file

    folder = tempfile.mkdtemp()
    name = {"sd15": {"emb_params": torch.randn(2, 768)}, "sdxl": {"clip_l": torch.randn(2, 768), "clip_g": torch.randn(2, 1280)}}[
        world.family
    ]
    save_file(name, f"{folder}/kitty.safetensors")
    for part in vars(world.clip.tokenizer).values():
        if hasattr(part, "embedding_directory"):
            part.embedding_directory = folder
    for name, prompt in cases.items():
        found = module("nodes").guided_prompt(world.clip, prompt, "", check=False)
        if "embedding" not in prompt:  # the small random text encoders have another width than the file's vectors
            patcher = world.guided(prompt=prompt)
            world.sample(patcher, positive=world.encode(prompt))
            guided_passes(world, patcher)
        yield name, "; ".join(f"{phrase} {positions}" for phrase, positions in zip(found.scene.objects, found.positions, strict=True))


def workflow(world: World) -> str:
    """The example workflow through ComfyUI's own validation and executor; only checkpoint, VAE and files are stand-ins."""
    import execution  # pyright: ignore[reportMissingImports]

    class Loader:
        RETURN_TYPES, FUNCTION = ("MODEL", "CLIP", "VAE"), "load"

        @classmethod
        def INPUT_TYPES(cls) -> Any:  # noqa: N802
            return {"required": {"ckpt_name": ("STRING",)}}

        def load(self, ckpt_name: str) -> Any:
            return world.model, world.clip, None

    class Decode:
        RETURN_TYPES, FUNCTION = ("IMAGE",), "decode"

        @classmethod
        def INPUT_TYPES(cls) -> Any:  # noqa: N802
            return {"required": {"samples": ("LATENT",), "vae": ("VAE",)}}

        def decode(self, samples: Any, vae: Any) -> Any:
            return (samples["samples"][:, :3].movedim(1, -1).sigmoid(),)

    prompt = json.loads((PACK / "workflow_api.json").read_text())
    prompt["5"]["inputs"] |= {"width": 128, "height": 128}
    prompt["7"]["inputs"]["steps"] = 4
    kept = dict(world.nodes)
    world.nodes |= {"CheckpointLoaderSimple": Loader, "VAEDecode": Decode}
    import folder_paths  # pyright: ignore[reportMissingImports]

    folder_paths.set_output_directory(tempfile.mkdtemp())
    folder_paths.set_temp_directory(tempfile.mkdtemp())
    try:
        valid, error, outputs, errors = asyncio.run(execution.validate_prompt("check", prompt, None))
        assert valid, (error, errors)
        executor = execution.PromptExecutor(MagicMock(client_id=None))
        executor.execute(prompt, "check", {}, outputs)
        assert executor.success, executor.status_messages
        found = executor.history_result["outputs"]
        report = str(found["12"])
        assert "guided steps: 2 of 4" in report, report
        return f"{len(outputs)} outputs, {len(found['11']['images'])} picture of attention, the report"
    finally:
        world.nodes |= kept
