"""What tells two runs apart, and what does not."""

import json
from functools import partial

import pytest

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
