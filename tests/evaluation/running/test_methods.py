"""Methods by name."""

import json

import pytest

from infsplign.core import LOSSES
from infsplign.engine.config import PAPER, PAPER_SDXL, PUBLISHED, PUBLISHED_SDXL, GuidanceConfig
from infsplign.evaluation.fingerprint import plain
from infsplign.evaluation.running.methods import NAMES, choose_methods, method

OWN = GuidanceConfig(scale=5.0, stop=0.5)


def test_every_name_is_a_method_of_its_own_that_can_be_written_down():
    found = [json.dumps(plain(method(name, OWN, PAPER))) for name in NAMES]
    assert len(set(found)) == len(NAMES) > 5
    assert set(LOSSES) < set(NAMES)


def test_what_the_names_stand_for():
    assert method("unguided", OWN) is None
    assert method("infsplign", OWN) is OWN
    assert method("paper", OWN, PAPER_SDXL) is PAPER_SDXL  # not the loss of that name with the model's other constants
    assert method("published", OWN) == PUBLISHED
    assert method("published", OWN, PAPER_SDXL) == PUBLISHED_SDXL
    layout = method("layout", OWN.with_(terms=(LOSSES["overlap"]().terms)))
    assert layout is not None
    assert (layout.scale, layout.stop, layout.terms) == (5.0, 0.5, ())
    assert plain(layout.compound()) == plain(LOSSES["layout"]())


@pytest.mark.parametrize("names", ["magic", "paper,magic", "", " , ", "paper,paper"])
def test_other_names_are_refused(names):
    with pytest.raises(ValueError, match="`--methods` must be one or more of unguided, infsplign, paper"):
        choose_methods(names)


def test_scale_is_that_of_every_guided_method():
    found = choose_methods("unguided, psg,infsplign", 7.0, OWN)
    assert list(found) == ["unguided", "psg", "infsplign"]
    assert {name: c and c.scale for name, c in found.items()} == {"unguided": None, "psg": 7.0, "infsplign": 7.0}
