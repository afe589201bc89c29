"""The README's Python runs as it stands, on tiny pipelines, and the README is short."""

import diffusers
from PIL import Image

import infsplign
from tests import tiny
from tests.pages import Page

README = Page("README.md")
OWN, SDXL = README.blocks


def test_it_is_short_and_its_links_lead_somewhere():
    assert len(README.text.splitlines()) <= 150
    assert README.broken_links() == []


def test_the_three_lines_guide_a_pipeline(monkeypatch):
    pipe, guide = tiny.sd(), infsplign.guide
    monkeypatch.setattr(infsplign, "guide", lambda _, *args: guide(pipe, *args))
    namespace = {"pipe": lambda prompt: pipe(prompt, num_inference_steps=2)}
    exec(compile(OWN, "README", "exec"), namespace)
    assert namespace["image"].size == (32, 32)
    assert [step.guided for step in namespace["guidance"].trace] == [True, False]


def test_the_script_for_sdxl_runs(monkeypatch, tmp_path):
    """As it stands, but for the weights, which are tiny and random, the size, and the offloading, which needs a GPU."""
    pipe = tiny.sdxl()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(diffusers.StableDiffusionXLPipeline, "from_pretrained", lambda *_, **__: pipe)
    monkeypatch.setattr(pipe, "enable_model_cpu_offload", lambda: None)
    assert SDXL.count("1024") == 2
    exec(compile(SDXL.replace("1024", "32"), "README", "exec"), {})
    assert Image.open("cat-dog.png").size == (32, 32)
