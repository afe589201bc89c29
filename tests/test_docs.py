"""The Python of `docs/writing-an-adapter.md` runs as a reader would paste it, and gives what the page says."""

import re

import pytest
import torch

from tests.pages import Page

PAGE = Page("docs/writing-an-adapter.md")
RESULT = re.compile(r"(unguided|guided) +loss ([\d.]+) -> ([\d.]+) +gap ([+-][\d.]+)")


@pytest.fixture(scope="module")
def page():
    """The namespace that all blocks leave, run in order, and what they print."""
    generator = torch.get_rng_state()
    found = PAGE.run()
    torch.set_rng_state(generator)
    return found


def test_the_blocks_are_as_long_as_the_page_says():
    claims = re.findall(r"(\d+) lines:\n\n```python\n(.*?)```", PAGE.text, re.DOTALL)
    (model, model_code), (adapter, adapter_code) = claims
    assert "class SmallMMDiT" in model_code
    assert "AttentionRecorder(" in adapter_code
    assert len(model_code.splitlines()) == int(model)
    assert len(adapter_code.splitlines()) == int(adapter)
    assert 30 <= int(model) <= 40
    assert int(adapter) <= 40
    assert PAGE.longest_line() <= 140


def test_guidance_lowers_the_loss_as_the_page_says(page):
    namespace, printed = page
    guided, unguided = namespace["guided"], namespace["unguided"]
    assert torch.equal(guided[0], unguided[0])  # the same noise
    assert (guided[-1] < 0.95 * unguided[-1]).all()
    shown = {name: [float(x) for x in values] for name, *values in RESULT.findall(PAGE.text)}
    got = {name: [float(x) for x in values] for name, *values in RESULT.findall("\n".join(printed))}
    assert set(shown) == set(got) == {"unguided", "guided"}
    for name, values in shown.items():
        assert got[name] == pytest.approx(values, abs=0.005)


def test_the_wrong_adapter_is_found_as_the_page_says(page):
    assert page[1][0].startswith("`attention.2`: token 0 of `text` was changed, and column ")
    assert page[1][0].endswith("where does the text begin among the keys?")


def test_both_sources_of_the_page_read_the_same_probabilities(page):
    """The recorder's from `scaled_dot_product_attention`, and those that the softmax module returns."""
    namespace, _ = page
    fused, plain = namespace["model"], namespace["SmallMMDiT"](attention=namespace["PlainAttention"]).eval()
    plain.load_state_dict(fused.state_dict())
    sample, kwargs = namespace["inputs"](2, (16, 24))
    weights = torch.eye(kwargs["text"].shape[1]).expand(2, -1, -1)
    maps = []
    for source, model in ((namespace["small_mmdit"], fused), (namespace["SoftmaxSource"], plain)):
        with source(model).record(sample, **kwargs) as attention:
            model(sample, **kwargs)
        assert [layer.layer for layer in attention] == ["attention.2", "attention.3"]
        maps.append(torch.stack([layer.object_maps(weights) for layer in attention]))
    assert maps[0].shape == (2, 2, 10, 8, 12)
    assert torch.allclose(*maps, atol=1e-6)


def test_the_backbone_of_the_page_is_the_shipped_one(page):
    from infsplign.adapters import FAMILIES

    shown, shipped = page[0]["LIKE_SD3"], FAMILIES["sd3"]
    transformer = page[0]["transformer"]
    for field in ("segments", "text", "denoiser", "conditional"):
        assert getattr(shown, field) == getattr(shipped, field)
    assert shown.layers(transformer) == shipped.layers(transformer)


def test_every_field_of_a_backbone_is_explained():
    from infsplign.adapters import Backbone

    table = PAGE.text[PAGE.text.index("| field |") :]
    explained = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert explained == set(Backbone.__dataclass_fields__)


def test_links_lead_somewhere():
    assert "://" not in PAGE.text  # every link is one to a file
    assert PAGE.broken_links() == []
