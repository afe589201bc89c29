"""What the page's fields are read as."""

import zipfile
from dataclasses import replace

import pytest

from infsplign.app.page import _changes
from infsplign.app.session import Session, View, generate
from infsplign.app.workshop import METHODS, Workshop
from tests.app.conftest import PROMPT

EMPTY = {"prompt": PROMPT, "model": "shapes", "relations": "", "seed": 0, "steps": 2, "guidance_scale": None, "strength": 0.15}
EMPTY |= {"negative_prompt": "", "height": None, "width": None}


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 0.5, -1.0])
def test_a_seed_that_is_no_whole_number_ends_with_a_message(value):
    (view,) = generate(Workshop(), Session(), EMPTY | {"seed": value})
    assert f"`seed` must be a whole number &gt;= 0, got {value:g}" in view.status


def test_a_seed_that_was_emptied_is_no_seed_0():
    (view,) = generate(Workshop(), Session(), EMPTY | {"seed": None})
    assert "`seed` must be a whole number &gt;= 0, got none" in view.status


@pytest.mark.parametrize(("name", "value"), [("height", 16392), ("width", 8e6), ("steps", 1001), ("height", 60)])
def test_sides_and_steps_have_the_bounds_of_the_command(name, value):
    fields = {"prompt": PROMPT, "model": "shapes", "relations": "", "seed": 0, "steps": 2, "guidance_scale": None, "strength": 0.15}
    fields |= {"negative_prompt": "", "height": None, "width": None, name: value}
    (view,) = generate(Workshop(), Session(), fields)
    assert f"`--{name}` must be a" in view.status
    assert f"got {value:.0f}" in view.status


def test_nothing_of_an_earlier_result_stays_beside_a_sampling_that_is_stopped(workshop, result):
    session = Session()
    session.add(result)
    making = generate(workshop, session, EMPTY | {"steps": 50})
    first = _changes(next(making), session)
    assert [first[name] for name in (*METHODS, "verdict", "attention")] == [None, None, "", ""]
    assert not first["details"].visible
    assert not first["curves"].visible
    session.stop.set()
    last = list(making)[-1]
    assert "Stopped." in last.status
    assert session.shown is None


def test_previews_are_not_shown_beside_a_result_that_is_chosen_meanwhile(workshop, result):
    session = Session()
    session.add(result)
    pictures = []
    for view in generate(workshop, session, EMPTY | {"steps": 4}):
        pictures.append(sorted(view.images))
        if view.images and session.chosen is None:
            session.chosen = 0
    assert [images for images in pictures if images] == [["unguided"], ["guided", "unguided"]]
    assert session.chosen == 1
    assert view.result is session.shown


def test_a_page_that_has_lost_its_connection_goes_on(result):
    session = Session()
    session.add(result)
    session.zip()
    session.close()
    assert session.zip().exists()
    folder = session.folder
    session.close()
    assert not folder.exists()


def test_numbers_stay_where_the_oldest_results_are_forgotten(result, monkeypatch):
    monkeypatch.setattr("infsplign.app.session.MOST", 2)
    session = Session()
    for seed in range(3):
        session.add(replace(result, options=replace(result.options, seed=seed)))
    assert [one.options.seed for one in session.results] == [1, 2]
    gallery = _changes(View("", "", {}, session.shown), session)["gallery"]
    assert [caption.split()[0] for _, caption in gallery] == ["2.", "2.", "3.", "3."]
    with zipfile.ZipFile(session.zip()) as file:
        assert {name[-11:] for name in file.namelist() if name.endswith("_00.png")} == {"0002_00.png", "0003_00.png"}
    session.close()
