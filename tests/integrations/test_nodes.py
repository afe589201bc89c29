"""The nodes' inputs and outputs, the report and the pictures, and the example workflow."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from infsplign.engine.config import RECOMMENDED
from infsplign.errors import AttentionError, PromptError
from integrations import comfyui
from integrations.comfyui.nodes import SpatialGuidance, SpatialTrace, config_of
from integrations.comfyui.sampling import run_of
from tests.integrations import stand_in
from tests.integrations.stand_in import Clip, Patcher, conditioning, euler, loaded
from tests.integrations.test_sampling import PROMPT, STEPS, guided, noise

PACK = Path(comfyui.__file__).parent


@pytest.fixture(scope="module")
def shown():
    """Two pictures and a report of two images, and a run without a guided step."""
    with pytest.MonkeyPatch.context() as patch:
        stand_in.installed(patch)
        clip = Clip()
        conds = [conditioning(clip, PROMPT)], [conditioning(clip, "blurry")]
        patcher, idle = guided(loaded(), clip), guided(loaded(), clip, start=0.1, stop=0.1)
        for one in (patcher, idle):
            euler(one, *conds, noise(2, size=(16, 24)), STEPS)
        latent = {"samples": noise(2, size=(16, 24))}
        return [(*SpatialTrace().show(one, latent), run_of(one)) for one in (patcher, idle)]


def test_defaults_are_the_recommended_options():
    inputs = SpatialGuidance.INPUT_TYPES()
    defaults = {name: options["default"] for group in inputs.values() for name, (_, options) in group.items() if "default" in options}
    assert config_of(defaults["strength"], defaults["start"], defaults["stop"]) == RECOMMENDED
    assert defaults["check_prompt"] is True


@pytest.mark.parametrize("node", [SpatialGuidance, SpatialTrace])
def test_inputs_are_the_arguments_of_the_function(node):
    inputs = node.INPUT_TYPES()
    code = getattr(node, node.FUNCTION).__code__
    assert code.co_varnames[1 : code.co_argcount] == tuple(name for group in inputs.values() for name in group)
    assert all(options["tooltip"] for group in inputs.values() for _, options in group.values())


def test_relations_by_hand_are_read_line_by_line():
    patcher = guided(loaded(), Clip(), prompt="a cat, a dog and a kite", relations="cat left of dog\n\n kite above cat \n")
    (function,) = patcher.model_options["sampler_post_cfg_function"]
    scene = function.prompt.scene
    assert [scene.text(edge) for edge in scene.relations] == ["cat left of dog", "kite above cat"]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"prompt": "a cat and a dog"}, PromptError, "relation"),
        ({"relations": "bird left of dog"}, PromptError, "'bird' does not occur in the prompt"),
        ({"relations": "cat beside-ish dog"}, PromptError, "relation"),
        ({"start": 0.6}, ValueError, "0 <= start <= stop <= 1"),
        ({"strength": -0.1}, ValueError, "`strength` must be a finite number >= 0, got -0.1"),
        ({"strength": float("nan")}, ValueError, "`strength` must be a finite number >= 0, got nan"),
        ({"strength": float("inf")}, ValueError, "`strength` must be a finite number >= 0, got inf"),
    ],
)
def test_bad_inputs_are_errors_of_the_node(given, error, message):
    with pytest.raises(error, match=message):
        guided(loaded(), Clip(), **given)


def test_two_nodes_with_the_same_inputs_have_models_of_their_own():
    """ComfyUI caches by class and inputs, so the second node would get the output of the first; this flag adds the id of the node."""
    assert SpatialGuidance.NOT_IDEMPOTENT is True


def test_another_model_is_an_error_of_the_node():
    with pytest.raises(AttentionError, match="must hold a U-Net"):
        guided(Patcher(type("Model", (), {"diffusion_model": torch.nn.Linear(1, 1)})()), Clip())


def test_the_pictures_are_images_of_comfyui(shown):
    (pictures, *_), (empty, *_) = shown
    assert pictures.ndim == 4
    assert pictures.shape[0] == empty.shape[0] == 2
    assert pictures.shape[-1] == 3
    assert pictures.dtype == torch.float32
    assert 0 <= float(pictures.min()) < float(pictures.max()) <= 1
    assert not torch.equal(pictures[0], pictures[1])


def test_the_report_has_each_guided_step_of_each_image(shown):
    (_, report, run), (_, empty, _) = shown
    assert report.startswith(f"prompt: {PROMPT}\nrelations: cat left of dog\nguided steps: 2 of 4 passes; strength 0.15, from 0 to 0.5\n")
    rows = [line.split() for line in report.splitlines() if line.strip()[:1].isdigit()]
    assert [row[0] for row in rows] == ["1", "2"] * 2
    head = next(line for line in report.splitlines() if "sigma" in line).split()
    assert head == ["step", "sigma", "loss", "spatial", "excite", "unity", "shift"]
    assert all(float(row[-1]) == 0.15 for row in rows)  # the bound is reached, in deviations of the noise
    steps = [(step.to_dict(image), sigma) for image in (0, 1) for step, sigma in zip(run.steps.trace[:2], run.sigmas[:2], strict=True)]
    for row, (step, sigma) in zip(rows, steps, strict=True):
        wanted = [step["step"] + 1, sigma, step["loss"], *step["terms"].values()]
        assert [float(x) for x in row[:-1]] == pytest.approx(wanted, abs=5e-4)
    assert report.count("centre of attention") == 2
    assert empty.endswith("No step was guided: widen `start` and `stop`.")


def test_the_ring_is_at_the_centroid():
    from infsplign.core.scenes import Scene
    from infsplign.engine.trace import StepTrace
    from integrations.comfyui.picture import CELL, GAP, INK, LABEL, attention_pictures

    scene = Scene.of([("cat", "left of", "dog")])
    centroid = torch.tensor([[[0.0, 0.5], [0.75, 0.5]]])
    step = StepTrace(0, 1.0, guided=True, centroid=centroid, maps=(torch.rand(1, 2, 8, 8),))
    picture = (255 * attention_pictures([step], scene, 1)[0]).round().numpy().astype(int)
    for line, place in enumerate((0.5 / 8, 0.75 * 7 / 8 + 0.5 / 8)):  # the middle of the first cell, and of the one at three quarters
        top = LABEL + line * (LABEL + CELL) + LABEL
        cell = picture[top : top + CELL, GAP : GAP + CELL]
        ys, xs = np.nonzero((cell == INK).all(-1))
        assert (xs.min() + xs.max()) / 2 == pytest.approx(place * (CELL - 1), abs=1)
        assert (ys.min() + ys.max()) / 2 == pytest.approx(0.5 * (CELL - 1), abs=1)


def test_the_workflow_uses_the_nodes_as_they_are():
    workflow = json.loads((PACK / "workflow_api.json").read_text())
    for node in workflow.values():
        for value in node["inputs"].values():
            assert not isinstance(value, list) or value[0] in workflow
        if found := comfyui.NODE_CLASS_MAPPINGS.get(node["class_type"]):
            assert set(node["inputs"]) == {name for group in found.INPUT_TYPES().values() for name in group}
    used = {node["class_type"] for node in workflow.values()}
    assert used >= set(comfyui.NODE_CLASS_MAPPINGS) == set(comfyui.NODE_DISPLAY_NAME_MAPPINGS)
