"""What tells two runs apart, and what does not."""

import copy
import importlib
import json
import os
import shutil
import subprocess
import sys
from functools import partial

import pytest
from diffusers import DDIMScheduler, StableDiffusionPAGPipeline, StableDiffusionPipeline
from diffusers.models.attention_processor import AttnProcessor2_0

from infsplign.core.losses import paper_loss
from infsplign.core.penalties import relu
from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation import fingerprint
from infsplign.evaluation.fingerprint import differences, plain
from infsplign.evaluation.model_hash import model_hash
from tests import tiny


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (GuidanceConfig(), GuidanceConfig(scale=1.0)),
        (GuidanceConfig(), GuidanceConfig(penalty=relu)),
        (GuidanceConfig(loss=paper_loss(alpha=1.0)), GuidanceConfig(loss=paper_loss(alpha=2.0))),
        (GuidanceConfig(loss=paper_loss(penalty=relu)), GuidanceConfig(loss=paper_loss())),
        (partial(relu, 1), partial(relu, 2)),
        (None, GuidanceConfig()),
    ],
)
def test_other_options_are_told_apart(one, other):
    assert json.dumps(plain(one)) != json.dumps(plain(other))


def test_equal_options_are_equal():
    assert plain(GuidanceConfig(loss=paper_loss(alpha=2.0))) == plain(GuidanceConfig(loss=paper_loss(alpha=2.0)))
    assert plain({"a": (1, 2.5, float("inf"), None, True)}) == {"a": [1, 2.5, "inf", None, True]}


RAMP = """
SIZE = 1.0

def grown(progress):
    return SIZE + progress

def ramp(progress, power=2):
    return grown(progress) ** power if progress in {"a", "b", 0.5} else grown(progress)
"""


def own(source=RAMP, name="ramp"):
    """A function of a script of one's own."""
    module = {"__name__": "__main__"}
    exec(source, module)
    return module[name]


@pytest.mark.parametrize(
    ("old", "new"),
    [("** power", "* power"), ("power=2", "power=3"), ("SIZE = 1.0", "SIZE = 2.0"), ("SIZE +", "SIZE -"), ("0.5}", "0.6}")],
)
def test_own_functions_are_told_apart_by_what_they_do(old, new):
    """Whoever edits a schedule and starts the same script again must not get the images of the schedule before."""
    assert old in RAMP
    before = GuidanceConfig(schedule=own())
    assert plain(before) == plain(GuidanceConfig(schedule=own("# a comment\n" + RAMP)))
    assert plain(before) != plain(GuidanceConfig(schedule=own(RAMP.replace(old, new))))


def test_own_functions_that_call_themselves_or_are_made_in_a_loop():
    recursive = "def ramp(p):\n    return p if p < 1 else ramp(p - 1)\n"
    assert plain(own(recursive)) == plain(own(recursive)) != plain(own(recursive.replace("p - 1", "p - 2")))
    one, other = (lambda progress, k=k: k * progress for k in (1, 2))
    assert plain(one) != plain(other)


@pytest.mark.parametrize("used", ["from lines_of_mine import line\n", "import lines_of_mine\nline = lambda p: lines_of_mine.line(p)\n"])
def test_own_functions_of_another_module_count_too(tmp_path, monkeypatch, used):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    found = []
    for body in ("1 - p", "1 - p", "1 - p * p"):
        (tmp_path / "lines_of_mine.py").write_text(f"def line(p):\n    return {body}\n")
        sys.modules.pop("lines_of_mine", None)
        importlib.invalidate_caches()
        found.append(plain(own(f"{used}\ndef ramp(p):\n    return line(p)\n")))
    sys.modules.pop("lines_of_mine")
    assert found[0] == found[1] != found[2]


def test_what_is_installed_does_not_count(monkeypatch):
    """Versions tell it."""
    ramp = own("import posixpath, shutil\n\ndef ramp(p):\n    return shutil.which(posixpath.join(p))\n")
    before = plain(ramp)
    monkeypatch.setattr(shutil, "which", shutil.rmtree)
    assert plain(ramp) == before


def test_own_functions_may_have_defaults_that_cannot_be_described():
    source = "import math\ndef ramp(p, shape=math.cos, power=2):\n    return shape(p) ** power\n"
    assert plain(own(source)) == plain(own(source)) != plain(own(source.replace("power=2", "power=3")))


def test_own_functions_that_find_each_other_in_a_table_are_described_once():
    """Each way through the table on its own would take hours."""
    lines = [f"def ramp{i}(p):\n    return TABLE[{i} - 1](p)\n" for i in range(1, 30)]
    source = "def ramp(p):\n    return TABLE[0](p)\n" + "".join(lines) + f"TABLE = [ramp, {', '.join(f'ramp{i}' for i in range(1, 30))}]\n"
    assert plain(own(source)) == plain(own(source)) != plain(own(source.replace("[7 - 1]", "[7 - 2]")))
    one = plain(own(source))
    assert plain({"first": own(source), "second": own(source)}) == {"first": one, "second": one}


def test_own_functions_are_the_same_in_every_process():
    command = [sys.executable, "-c", "from tests.evaluation.test_fingerprint import own, plain; print(plain(own())['code'])"]
    told = {
        subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1


def test_what_cannot_be_described_is_an_error():
    with pytest.raises(TypeError, match="a setting must be made of"):
        plain(object())


def test_differences_name_the_setting():
    assert differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3, "d": 4}}) == [
        "a.c: 2 there, 3 asked for",
        "a.d: null there, 4 asked for",
    ]


def test_sources_follow_the_code():
    from infsplign.evaluation.metrics import strict, visor

    assert fingerprint.sources(visor) == fingerprint.sources(visor) != fingerprint.sources(visor, strict)


def test_model_hash_follows_the_weights():
    pipe = tiny.sd(seed=0)
    before = model_hash(pipe)
    assert model_hash(tiny.sd(seed=0)) == before != model_hash(tiny.sd(seed=1))
    next(pipe.text_encoder.parameters()).data.view(-1)[0] += 1
    assert model_hash(pipe) != before


def test_model_hash_follows_the_configurations():
    """No weight tells them: the number of heads, the size of the pictures, the scale of the latents."""
    stock = model_hash(tiny.sd())
    for part, name in (("unet", "sample_size"), ("vae", "scaling_factor"), ("text_encoder", "num_attention_heads")):
        pipe = tiny.sd()
        module = getattr(pipe, part)
        if part == "text_encoder":
            module.config.num_attention_heads *= 2
        else:
            module.register_to_config(**{name: module.config[name] * 2})
        assert model_hash(pipe) != stock, name
    pipe = tiny.sd()
    pipe.register_to_config(requires_safety_checker=not pipe.config.requires_safety_checker)
    assert model_hash(pipe) != stock


def test_model_hash_does_not_follow_places_or_the_scheduler(tmp_path):
    """The settings of a run tell the scheduler beside it."""
    tiny.sd().save_pretrained(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    first, second = (StableDiffusionPipeline.from_pretrained(tmp_path / name) for name in "ab")
    second.scheduler = DDIMScheduler.from_config(second.scheduler.config)
    assert model_hash(first) == model_hash(second)


def test_model_hash_follows_what_is_switched_on():
    """A run that goes on with another scale of a LoRA would mix images of two models."""
    from peft import LoraConfig

    pipe = tiny.sd()
    stock = model_hash(pipe)
    pipe.enable_freeu(s1=0.9, s2=0.2, b1=1.1, b2=1.2)
    freeu = model_hash(pipe)
    pipe.disable_freeu()
    assert freeu != stock == model_hash(pipe)
    pipe.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"], init_lora_weights=False), adapter_name="fur")
    hashes = [model_hash(pipe)]
    for weight in (0.5, 0.9):
        pipe.unet.set_adapters(["fur"], [weight])
        hashes += [model_hash(pipe), model_hash(pipe)]
    pipe.unet.disable_adapters()
    hashes.append(model_hash(pipe))
    assert hashes[1] == hashes[2]
    assert hashes[3] == hashes[4]
    assert len({stock, *hashes}) == 5


def test_the_source_of_guidance_is_known_and_that_of_evaluation_is_not_part_of_it(monkeypatch, tmp_path):
    root = tmp_path / "infsplign"
    (root / "evaluation").mkdir(parents=True)
    (root / "guidance.py").write_text("a = 1")
    (root / "evaluation" / "report.py").write_text("a = 1")
    monkeypatch.setattr(fingerprint, "__file__", str(root / "evaluation" / "fingerprint.py"))
    before = fingerprint.guidance_source()
    (root / "evaluation" / "report.py").write_text("a = 2")
    assert fingerprint.guidance_source() == before
    (root / "guidance.py").write_text("a = 2")
    assert fingerprint.guidance_source() != before


class Attends(AttnProcessor2_0):
    """A processor of one's own."""


def test_layers_of_perturbed_attention_and_processors_of_one_s_own_change_the_hash():
    plain = tiny.sd()
    pag = StableDiffusionPAGPipeline.from_pipe(plain, pag_applied_layers=["down_blocks.1"])
    first = model_hash(pag)
    pag.set_pag_applied_layers(["mid"])
    assert model_hash(pag) != first
    before = model_hash(plain)
    plain.unet.set_attn_processor({name: AttnProcessor2_0() for name in plain.unet.attn_processors})
    assert model_hash(plain) == before
    plain.unet.set_attn_processor({name: Attends() for name in plain.unet.attn_processors})
    assert model_hash(plain) != before


CALLED = """
from dataclasses import dataclass
{more}
@dataclass(frozen=True)
class Ramp:
    k: float = 1.0
    def __call__(self, p):
        return {body}
"""


def own_object(body="self.k * p", more=""):
    """An object of a class of a script of one's own."""
    scope = {"__name__": "__main__"}
    exec(CALLED.format(body=body, more=more), scope)
    return scope["Ramp"]()


def test_own_dataclasses_are_told_apart_by_what_they_do():
    """Two schedules with the same fields would be one method."""
    assert plain(own_object()) == plain(own_object()) != plain(own_object("self.k * (1 - p)"))
    helped = "self.k * p * FACTOR"
    assert plain(own_object(helped, "FACTOR = 2")) != plain(own_object(helped, "FACTOR = 3"))
    assert "class" not in plain(GuidanceConfig())


@pytest.mark.parametrize(
    "value",
    ["SimpleNamespace(k={})", "Namespace(k={})", "{{{}}}", "[{}]", "type('C', (), {{'k': {}, '__module__': '__main__'}})"],
)
def test_what_own_functions_read_counts(value):
    """Options of a script are often in a namespace, whose numbers would be left out."""
    lead = "from argparse import Namespace\nfrom types import SimpleNamespace\n"
    one, other = (own(f"{lead}O = {value.format(number)}\ndef ramp(p):\n    return O, p\n") for number in (1, 2))
    assert plain(one) != plain(other)
    assert plain(one) == plain(own(f"{lead}O = {value.format(1)}\ndef ramp(p):\n    return O, p\n"))


def test_how_a_tokenizer_pads_and_what_a_vae_cuts_change_the_hash():
    stock, found = model_hash(tiny.sd()), []
    for change in (
        lambda pipe: setattr(pipe.tokenizer, "padding_side", "left"),
        lambda pipe: setattr(pipe.tokenizer, "pad_token", "!"),
        lambda pipe: setattr(pipe.tokenizer, "model_max_length", 7),
        lambda pipe: pipe.vae.enable_tiling(),
        lambda pipe: pipe.unet.register_forward_hook(grown_output),
    ):
        pipe = tiny.sd()
        pipe.tokenizer = copy.deepcopy(pipe.tokenizer)  # tiny pipelines share one
        change(pipe)
        found.append(model_hash(pipe))
    assert len({stock, *found}) == 6


def grown_output(_module, _args, output):
    return output


class Steers(AttnProcessor2_0):
    def __init__(self, weight):
        super().__init__()
        self.weight = weight


class Hook:
    def __init__(self, weight):
        self.weight = weight

    def __call__(self, _module, _args, output):
        return output * self.weight


def scaled(_module, _args, output, weight):
    return output * weight


def closure(weight):
    return lambda _module, _args, output: output * weight


def replaced(module, weight):
    plain_forward = module.forward
    module.forward = lambda *args, **kwargs: plain_forward(*args, **kwargs) * weight


STEERING = {
    "processor": lambda unet, weight: unet.set_attn_processor(Steers(weight)),
    "object": lambda unet, weight: unet.mid_block.register_forward_hook(Hook(weight)),
    "partial": lambda unet, weight: unet.mid_block.register_forward_hook(partial(scaled, weight=weight)),
    "closure": lambda unet, weight: unet.mid_block.register_forward_hook(closure(weight)),
    "forward": lambda unet, weight: replaced(unet.mid_block, weight),
}


@pytest.mark.parametrize("how", STEERING)
def test_code_that_steers_the_model_changes_the_hash_with_its_numbers(how):
    """A run with another strength would be taken for one that is there."""
    found = [model_hash(tiny.sd())]
    for weight in (0.8, 0.2, 0.2):
        pipe = tiny.sd()
        STEERING[how](pipe.unet, weight)
        found.append(model_hash(pipe))
    assert found[2] == found[3]
    assert len(set(found)) == 3


def test_pictures_without_a_seam_have_another_hash():
    pipe = tiny.sd()
    pipe.unet.conv_in.padding_mode = "circular"
    assert model_hash(pipe) != model_hash(tiny.sd())
