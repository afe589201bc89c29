"""Presets: what is saved is loaded again, and what is no preset is refused by name."""

import json
import locale
import os
import pickle
from copy import deepcopy
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infsplign import PAPER, RECOMMENDED, GuidanceConfig
from infsplign.core.losses import CompoundLoss, LossTerm, paper_loss
from infsplign.core.penalties import PENALTIES
from infsplign.core.terms import TERMS, boxes, excite, unity
from infsplign.engine.config_file import from_json, to_json
from infsplign.engine.weight_schedules import SCHEDULES
from infsplign.evaluation.fingerprint import plain
from infsplign.shipped.presets import PRESETS

part = st.floats(0, 1)
configs = st.builds(
    GuidanceConfig,
    scale=st.floats(0, 1e6),
    margin=part,
    stop=part,
    penalty=st.sampled_from(list(PENALTIES.values())),
    schedule=st.sampled_from([None, *SCHEDULES.values()]),
    terms=st.lists(st.sampled_from([make(0.5) for make in TERMS.values()]), max_size=3).map(tuple),
    loss=st.sampled_from([None, CompoundLoss((excite(levels=("middle",), worst=False),))]),
    layers=st.sampled_from([None, {"coarse": ("a", "b"), "middle": ("c",)}]),
    every=st.integers(1, 5),
    max_shift=st.none() | st.floats(0.01, 10),
)


@given(configs)
def test_json_holds_all_options(config):
    assert plain(from_json(GuidanceConfig, json.loads(json.dumps(to_json(config))))) == plain(config)


@pytest.mark.parametrize("config", [PAPER, RECOMMENDED, *(preset.config for preset in PRESETS.values())])
def test_presets_survive_a_file(config, tmp_path):
    config.save(tmp_path / "preset.json", model="owner/name", evidence=[1, 2])
    assert GuidanceConfig.load(tmp_path / "preset.json") == config
    assert json.loads((tmp_path / "preset.json").read_text("utf-8"))["model"] == "owner/name"
    assert [path.name for path in tmp_path.iterdir()] == ["preset.json"]


def test_missing_fields_have_their_defaults_and_are_told(tmp_path):
    (tmp_path / "preset.json").write_text('\ufeff{"config": {"scale": 7, "max_shift": 1}}', "utf-8")
    with pytest.warns(UserWarning, match=r"leaves out alpha, margin, .*, wrt: they are as in `GuidanceConfig\(\)`, the published"):
        config = GuidanceConfig.load(str(tmp_path / "preset.json"))
    assert plain(config) == plain(PAPER.with_(scale=7.0, max_shift=1.0, plan="auto"))
    assert isinstance(config.scale, float)


@pytest.mark.parametrize("config", [PAPER, RECOMMENDED, PAPER.with_(loss=paper_loss(alpha=0.5))])
def test_configurations_compare_by_value(config):
    for same in (pickle.loads(pickle.dumps(config)), deepcopy(config)):
        assert same == config
        assert hash(same) == hash(config)
    assert config.compound() != config.with_(loss=paper_loss(alpha=0.25)).compound()


@pytest.mark.parametrize("place", ["", "pipe"])
def test_only_files_are_replaced_and_nothing_is_left_behind(place, tmp_path):
    if place:
        os.mkfifo(tmp_path / place)
    with pytest.raises(OSError, match="must be the name of a file, and is a (folder|device)"):
        PAPER.save(tmp_path / place)
    assert [path.name for path in tmp_path.iterdir()] == ([place] if place else [])
    assert not list(tmp_path.parent.glob("*.partial"))


@pytest.mark.parametrize(
    "changes",
    [
        {"penalty": lambda x: x},
        {"schedule": lambda progress: 1.0},
        {"terms": (LossTerm("mine", lambda objects, scene: objects.mass[:, 0]),)},
        {"terms": (LossTerm("excite", partial(lambda objects, scene, sigma: 0, sigma=1), 1.0),)},
        {"terms": (boxes([[[0, 0, 1, 1], [0, 0, 1, 1]]]),)},
        {"terms": (replace(excite(), term=partial(lambda objects, scene, **_: objects.mass[:, 0], **excite().term.keywords)),)},
    ],
)
def test_functions_of_your_own_cannot_be_saved(changes, tmp_path):
    with pytest.raises(ValueError, match=f"`{next(iter(changes))}` cannot be saved"):
        GuidanceConfig(**changes).save(tmp_path / "preset.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Expecting value"),
        ("[]", "expected an object with `config`"),
        ("{}", "expected an object with `config`"),
        ('{"config": []}', "expected `config` to be an object"),
        ('{"config": {"sclae": 1}}', "no field 'sclae'"),
        ('{"config": {"scale": NaN}}', "NaN"),
        ('{"config": {"scale": 1, "scale": 2}}', "'scale' is given twice"),
        ('{"config": {}, "config": {"scale": 2}}', "'config' is given twice"),
        ('{"config": {"stop": 0.5}, "scale": 2}', "'scale' must stand inside `config`"),
        ('{"config": {"scale": -1}}', "`scale` must"),
        ('{"config": {"scale": 1' + "0" * 400 + "}}", "too large"),
        ('{"config": {"scale": "1"}}', "`scale` must"),
        ('{"config": {"penalty": "gleu"}}', "`penalty` to be one of gelu"),
        ('{"config": {"penalty": 3}}', "`penalty` to be one of gelu"),
        ('{"config": {"penalty": null}}', "`penalty` must"),
        ('{"config": {"schedule": []}}', "`schedule` to be one of"),
        ('{"config": {"terms": 3}}', "`terms` to be a list"),
        ('{"config": {"terms": [3]}}', "`name` is one of excite"),
        ('{"config": {"terms": [{"name": "excite", "sgima": 1}]}}', "'excite' of `terms`"),
        ('{"config": {"terms": [{"name": ["excite"]}]}}', "`name` is one of"),
        ('{"config": {"terms": [{"name": "excite", "weight": "1"}]}}', "`weight` of the term 'excite'"),
        ('{"config": {"layers": {"coarse": "x"}}}', "`layers` must"),
        ('{"config": {"every": 1.5}}', "`every` must"),
        ("[" * 100000, "holds no options"),
    ],
)
def test_what_is_no_preset_is_refused_by_name(text, said, tmp_path):
    path = tmp_path / "preset.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match="holds no options of guidance") as caught:
        GuidanceConfig.load(path)
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        GuidanceConfig.load(tmp_path / "none.json")


def test_a_device_is_refused():
    with pytest.raises(ValueError, match="a device"):
        GuidanceConfig.load("/dev/zero")


def test_a_preset_is_readable_text(tmp_path):
    GuidanceConfig(scale=7.0).save(tmp_path / "préset.json", model="Künstlerin/möhre")
    text = (tmp_path / "préset.json").read_text("utf-8")
    assert text.startswith('{\n "model": "Künstlerin/möhre",\n "config": {\n  "scale": 7.0,\n')
    assert text.endswith("}\n")


def test_a_preset_is_written_and_read_alike_under_every_locale(tmp_path):
    before = locale.setlocale(locale.LC_CTYPE)
    locale.setlocale(locale.LC_CTYPE, "C")
    try:
        PAPER.save(tmp_path / "preset.json", model="möhre")
        assert plain(GuidanceConfig.load(tmp_path / "preset.json")) == plain(PAPER)
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    assert "möhre".encode() in (tmp_path / "preset.json").read_bytes()


def test_numbers_that_json_lacks_are_refused_and_the_old_file_stays(tmp_path):
    path = tmp_path / "preset.json"
    PAPER.save(path)
    before = path.read_bytes()
    with pytest.raises(ValueError):
        PAPER.save(path, score=float("nan"))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["preset.json"]


def test_a_loss_and_its_terms_come_back_with_weights_levels_and_options(tmp_path):
    terms = (excite(0.5, levels=("middle",), sigma=0.25), TERMS["overlap"](2.0, normalised=True))
    layers = {"coarse": ("a", "b"), "middle": ("c",)}
    config = GuidanceConfig(loss=CompoundLoss(terms), terms=(TERMS["unity"](3.0),), layers=layers, schedule=SCHEDULES["linear_decay"])
    config.save(tmp_path / "preset.json")
    found = GuidanceConfig.load(tmp_path / "preset.json")
    for mine, its in zip((*found.loss.terms, *found.terms), (*terms, *config.terms), strict=True):
        assert (mine.name, mine.weight, mine.levels, mine.rowwise) == (its.name, its.weight, its.levels, its.rowwise)
        assert (mine.term.func, mine.term.keywords) == (its.term.func, its.term.keywords)
    assert found.layers == layers
    assert found.schedule is config.schedule


@pytest.mark.parametrize("change", [{"weight": 2.0}, {"levels": ("middle",)}, {"rowwise": False}, {"name": "unity"}])
def test_a_term_that_differs_from_the_known_one_is_one_of_your_own(change, tmp_path):
    """Its weight and its levels can be saved; all else cannot."""
    config = GuidanceConfig(terms=(replace(excite(0.5), **change),))
    if change.keys() <= {"weight", "levels"}:
        config.save(tmp_path / "preset.json")
        assert getattr(GuidanceConfig.load(tmp_path / "preset.json").terms[0], *change) == next(iter(change.values()))
    else:
        with pytest.raises(ValueError, match="`terms` cannot be saved: a file holds the terms excite, superiority"):
            config.save(tmp_path / "preset.json")


def test_numbers_of_numpy_are_saved_as_numbers(tmp_path):
    RECOMMENDED.with_(scale=np.float32(3.0)).save(tmp_path / "preset.json")
    assert GuidanceConfig.load(tmp_path / "preset.json").scale == 3.0


@pytest.mark.parametrize("name", ["scale", "config"])
def test_what_is_said_beside_the_options_is_not_named_as_they_are(tmp_path, name):
    with pytest.raises(ValueError, match=f"`about` must not be named.*{name}"):
        RECOMMENDED.save(tmp_path / "preset.json", **{name: 3})
    assert not list(tmp_path.iterdir())


def test_numbers_of_other_types_are_saved(tmp_path):
    config = PAPER.with_(every=np.int64(2), scale=Fraction(1, 4))
    config.save(tmp_path / "preset.json")
    assert GuidanceConfig.load(tmp_path / "preset.json") == PAPER.with_(every=2, scale=0.25)


def test_terms_with_numbers_of_numpy_are_saved_as_numbers(tmp_path):
    terms = (excite(np.float32(0.2), worst=np.bool_(False), sigma=np.float64(0.5)), unity(np.int64(1), sigma=np.float32(0.15)))
    RECOMMENDED.with_(terms=terms).save(tmp_path / "preset.json")
    assert GuidanceConfig.load(tmp_path / "preset.json").terms == terms
