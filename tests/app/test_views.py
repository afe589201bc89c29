"""HTML of the page, and the attention over a picture."""

from dataclasses import replace

import numpy as np
from bs4 import BeautifulSoup
from PIL import Image

from infsplign.app import views
from infsplign.app.overlay import overlay
from infsplign.app.results import Attention
from infsplign.generation.verdicts import Outcome, Verdicts


def parsed(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html.parser")


def test_bars_tell_both_samplings():
    page = parsed(views.bars({"unguided": (4, 4), "guided": (1, 4)}))
    assert [bar["aria-valuenow"] for bar in page.select(".is-bar")] == ["100", "25"]
    assert [label.get_text(" ") for label in page.select(".is-bar-label")] == ["unguided done", "guided step 1 of 4"]
    assert "waits" in views.bars({"unguided": (1, 4)})


def test_verdicts_are_told_for_each_relation_and_method(result):
    outcomes = {"unguided": [Outcome((False,), ("no heart", "a <moon> too"))], "guided": [Outcome((True,))]}
    page = parsed(views.verdict(replace(result, verdicts=Verdicts(("heart right of diamond",), (0,), outcomes))))
    assert [cell.get_text() for cell in page.select("td")] == ["✗ no", "✓ yes", "✗ no heart, a <moon> too", "✓ yes"]
    assert "because" in views.verdict(replace(result, verdicts=Verdicts(reason="because <b>")))
    assert "<b>" not in views.verdict(replace(result, verdicts=Verdicts(reason="because <b>")))


def test_messages_are_escaped():
    assert views.message("") == ""
    assert parsed(views.message("<img src=x>\n  ^", "failure")).get_text() == "<img src=x>\n  ^"


def test_attention_shows_each_object_at_the_step(result):
    page = parsed(views.attention(result, 0))
    assert [image["alt"] for image in page.select("img")] == ["attention of heart", "attention of diamond"]
    assert "step 1 of 4" in page.get_text()
    assert views.attention(result, 0) != views.attention(result, 1)
    assert views.attention(result, 99) == views.attention(result, 1)
    assert "No step was guided" in views.attention(replace(result, attention=None), 0)


def test_attention_is_scaled_for_each_object(result):
    assert result.attention.steps == (1, 2)
    assert result.attention.densities.shape[:2] == (2, 2)
    assert result.attention.densities.max(axis=(0, 2, 3)).tolist() == [1.0, 1.0]


def test_the_overlay_colours_where_the_attention_is():
    densities = np.zeros((2, 1, 8, 8), np.float32)
    densities[:, 0, :, :4] = 1.0
    attention = Attention((1, 2), densities, np.array([[[0.8, 0.2]], [[0.8, 0.8]]]))
    picture = np.asarray(overlay(Image.new("RGB", (96, 64), "white"), attention, 1, 0)).astype(int)
    assert picture.shape == (192, 288, 3)
    left, right = picture[96, 40], picture[20, 160]
    assert left[0] - left[2] > 120  # the first object's colour is orange
    assert np.ptp(right) < 12  # grey
    assert picture[100, round(0.8 * 288)].sum() < 200  # the way, dark


def test_small_images_are_enlarged_and_large_ones_kept():
    assert views.shown(Image.new("RGB", (96, 96))).size == (384, 384)
    assert views.shown(Image.new("RGB", (1024, 768))).size == (1024, 768)


def test_captions_tell_the_verdict(result):
    assert views.caption(3, replace(result, verdicts=Verdicts(reason="x")), "guided") == "3. guided"
    assert views.caption(1, replace(result, verdicts=Verdicts(("r",), (0,), {"guided": [Outcome((True,))]})), "guided") == "1. guided ✓"
