"""The world's prompts: splits, balance, seeds."""

from collections import Counter

import pytest

from infsplign.evaluation.prompts.world_prompts import SPLITS, pairs, prompts, seed, size
from infsplign.evaluation.scoring.benchmarks import beside
from infsplign.prompts import parse_prompt
from infsplign.shapes.nouns import NAMES
from infsplign.shipped.worlds import world

WHOLE = {"tune": 280, "heldout": 224, "final": 224}


@pytest.fixture(params=SPLITS)
def split(request):
    return request.param


def test_splits_share_no_pair_and_no_prompt():
    tune, heldout = ({frozenset(pair) for pair in pairs(name)} for name in ("tune", "heldout"))
    assert (len(tune), len(heldout)) == (35, 56)
    assert not tune & heldout
    assert len(tune | heldout) == len(NAMES) * (len(NAMES) - 1) // 2
    texts = [{p.text for p in prompts(name, WHOLE[name])} for name in ("tune", "heldout")]
    assert not texts[0] & texts[1]


def test_final_split_shares_no_prompt_and_no_seed_with_the_others():
    final = prompts("final", WHOLE["final"])
    others = [(split, p) for split in ("tune", "heldout") for p in prompts(split, WHOLE[split])]
    assert not {p.text for p in final} & {p.text for _, p in others}
    assert not {p.id for p in final} & {p.id for _, p in others}
    seeds = {seed("final", p.text, i) for p in final for i in range(10)}
    assert not seeds & {seed(split, p.text, i) for split, p in others for i in range(10)}
    assert {frozenset(pair) for pair in pairs("final")} == {frozenset(pair) for pair in pairs("heldout")}


def test_splits_share_no_seed():
    seeds = {name: {seed(name, p.text, i) for p in prompts(name, WHOLE[name]) for i in range(10)} for name in SPLITS}
    assert not seeds["tune"] & seeds["heldout"]
    assert {s % 2 for s in seeds["tune"]} == {0}
    assert {s % 2 for s in seeds["heldout"]} == {1}
    for name, found in seeds.items():
        assert len(found) >= 10 * WHOLE[name] - 2  # 32 bits: a chance meeting of two seeds is possible
        assert all(0 <= s < 2**32 for s in found)


def test_every_noun_is_in_both_splits_equally_often(split):
    counts = Counter(noun for pair in pairs(split) for noun in pair)
    assert set(counts) == set(NAMES)
    assert len(set(counts.values())) == 1
    for shared in ({"star", "star fruit"}, {"traffic light", "traffic cone"}):
        assert shared <= set(counts)


def test_each_block_of_seven_names_every_noun_once(split):
    listed = prompts(split, WHOLE[split])
    for start in range(0, len(listed), 7):
        block = listed[start : start + 7]
        assert sorted(noun for p in block for noun in (p.first, p.second)) == sorted(NAMES)


def test_all_prompts_differ_and_make_all_relations_of_all_pairs(split):
    listed = prompts(split, WHOLE[split])
    assert len({p.text for p in listed}) == len({p.id for p in listed}) == WHOLE[split] == size(split)
    assert len({(p.first, p.relation, p.second) for p in listed}) == WHOLE[split]
    orders = 2 if split == "tune" else 1  # held-out and final prompts have each pair in one order
    assert Counter(frozenset((p.first, p.second)) for p in listed) == dict.fromkeys(map(frozenset, pairs(split)), 4 * orders)


def test_prefixes_are_balanced_and_nested(split):
    whole = prompts(split, WHOLE[split])
    for count in range(1, WHOLE[split] + 1):
        counts = Counter(p.relation for p in whole[:count])
        assert max(counts.values()) - min(counts[r] for r in ("left of", "right of", "above", "below")) <= 1
    for count in (1, 7, 64, 100):
        assert prompts(split, count) == whole[:count]


def test_texts_say_what_they_ask_for(split):
    for p in prompts(split, WHOLE[split]):
        scene = parse_prompt(p.text)
        (edge,) = scene.relations
        assert (scene.objects[edge.first], edge.relation.name, scene.objects[edge.second]) == (p.first, p.relation, p.second)


def test_the_lists_do_not_change():
    """Published tables depend on them."""
    assert [p.text for p in prompts("heldout", 4)] == [
        "a heart to the left of a fish",
        "a moon to the right of a star fruit",
        "a star above a cross",
        "a triangle below a diamond",
    ]
    assert [p.text for p in prompts("tune", 2)] == ["a fish to the left of a circle", "a flower to the right of a square"]
    assert prompts("tune", 3)[2].id == "tune-0002"


@pytest.mark.parametrize(
    ("args", "value"),
    [
        (("tune", "a circle above a star", 0), 1964588830),
        (("tune", "a circle above a star", 1), 482409668),
        (("heldout", "a circle above a star", 0), 2026285139),
        (("heldout", "a heart to the left of a fish", 3), 3224745943),
    ],
)
def test_seeds_do_not_change(args, value):
    assert seed(*args) == value


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: prompts("test", 1), "`split` must be one of tune, heldout, final, got 'test'"),
        (lambda: seed("test", "a star", 0), "`split`"),
        (lambda: prompts("tune", 0), "`count` must be 1 to 280"),
        (lambda: prompts("heldout", 225), "`count` must be 1 to 224"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("name", ["shapes", "pictures"])
def test_they_ask_for_nothing_beside_their_objects(split, name):
    """So that *strict* of the published tables is of exactly two objects."""
    nouns = world(name).nouns
    for prompt in prompts(split, size(split, name), name):
        assert beside(prompt, nouns) == {}
