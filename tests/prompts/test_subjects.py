"""What a relation is about where several things stand before it: tags, what somebody has, pronouns, names in capitals."""

import pytest

from infsplign import PromptError, parse_prompt
from infsplign.prompts.word_classes import is_being
from tests.prompts.words import A, B, L, R, entries


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("1boy, messy hair, school uniform, standing to the left of a mecha", [("1boy", L, "mecha")]),
        ("solo, 1girl, blue dress, left of a horse", [("1girl", L, "horse")]),
        ("a knight, silver armor, standing left of a dragon", [("knight", L, "dragon")]),
        ("portrait of a woman, red dress, left of a horse", [("woman", L, "horse")]),
        ("an oil painting, a cat, left of a dog", [("cat", L, "dog")]),
        ("a kitchen, a cup, left of a plate", [("cup", L, "plate")]),
        ("red dress left of a horse", [("red dress", L, "horse")]),
        ("a samurai with a katana left of a tree", [("samurai", L, "tree")]),
        ("a lumberjack with an axe standing above a tree", [("lumberjack", A, "tree")]),
        ("a wizard reading a scroll left of a flask", [("wizard", L, "flask")]),
        ("a fish in a bowl left of a lamp", [("fish", "inside", "bowl"), ("fish", L, "lamp")]),
        ("a cat inside a box on top of a table", [("cat", "inside", "box"), ("box", "on top of", "table")]),
        ("a sphinx with a camel on its left and an obelisk on its right", [("camel", L, "sphinx"), ("obelisk", R, "sphinx")]),
        ("a sphinx with a camel on its left, an obelisk on its right", [("camel", L, "sphinx"), ("obelisk", R, "sphinx")]),
        ("a sphinx, on its left a camel, on its right an obelisk", [("camel", L, "sphinx"), ("obelisk", R, "sphinx")]),
        ("a cat, to its left, a dog, to its right, a bird", [("dog", L, "cat"), ("bird", R, "cat")]),
        ("a cat. To its left is a dog, and to its right is a bird.", [("dog", L, "cat"), ("bird", R, "cat")]),
        ("Kermit the Frog left of Winnie the Pooh", [("Kermit the Frog", L, "Winnie the Pooh")]),
        ("Mickey Mouse is standing left of a pot", [("Mickey Mouse", L, "pot")]),
        ("a jar left of a funnel and above the same funnel", [("jar", L, "funnel"), ("jar", A, "funnel")]),
        ("a seal a long way from a ferry", [("seal", "far from", "ferry")]),
        ("a wolf under a full moon", [("wolf", B, "full moon")]),
        ("a cat left of a dog under a full moon", [("cat", L, "dog")]),
        ("a barn left of a silo vhs found footage", [("barn", L, "silo")]),
        ("a cup left of a croissant flat lay photography", [("cup", L, "croissant")]),
    ],
)
def test_what_is_read(prompt, expected):
    assert entries(parse_prompt(prompt)) == expected


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("a red cat, a blue dog, left of a car", "not clear which object"),
        ("a woman with a parrot left of a dog", "not clear which object"),
        ("a man with a lamp above a dog", "not clear which object"),
        ("inside the aquarium is a galleon with a crab on its deck", "not clear which object"),
        ("a fish in a bowl on a table", "not clear what the next relation is about"),
        ("a sphinx with a camel on its left and an obelisk above a house", "not clear whose left"),
        ("a jar left of a funnel and right of the same funnel", "contradict"),
        ("a man on top of the world", "[Nn]o relation"),
        ("a couple under the moon", "[Nn]o relation"),
    ],
)
def test_what_is_refused(prompt, message):
    with pytest.raises(PromptError, match=message):
        parse_prompt(prompt)


def test_tags_count_beings_and_things_may_be_called_like_them():
    assert all(map(is_being, ("1girl", "2boys", "lumberjack", "donkeys", "werewolf")))
    assert not any(map(is_being, ("crane", "model", "turkey", "1cup")))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a dog left of a cat god rays", [("dog", L, "cat")]),
        ("a car left of a bus drone shot", [("car", L, "bus")]),
        ("a shot glass left of a mug", [("shot glass", L, "mug")]),
        ("a greek god left of a drone", [("greek god", L, "drone")]),
        ("a cat left of a dog, far from perfect", [("cat", L, "dog")]),
        ("a lamp above a man and a woman over dinner", [("lamp", A, "man"), ("lamp", A, "woman")]),
        ("the clock above the door shows noon", [("clock", A, "door")]),
        ("two tv shows left of a book", [("tv shows", L, "book")]),
        ("a knight left of a sleeping giant, epic fantasy", [("knight", L, "sleeping giant")]),
        ("a cat left of a giant, red robot", [("cat", L, "giant, red robot")]),
    ],
)
def test_tails_and_idioms(prompt, expected):
    assert entries(parse_prompt(prompt)) == expected
