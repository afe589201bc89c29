"""Everyday prompts whose reading was wrong without a word: names that took in verbs and measures, sides that are shared."""

import warnings

import pytest

from infsplign import PromptError, parse_prompt
from infsplign.errors import PromptWarning
from tests.prompts.words import A, B, L, R, entries, marked


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a red car must be left of a blue truck", [("red car", L, "blue truck")]),
        ("A cute cat portrait. The cat is left of the dog.", [("cat", L, "dog")]),
        ("a cat can be left of a dog", [("cat", L, "dog")]),
        ("a fox can be seen left of a hen", [("fox", L, "hen")]),
        ("a cat will stand to the left of a dog", [("cat", L, "dog")]),
        ("a trash can left of a soda can", [("trash can", L, "soda can")]),
        ("a fox two meters left of a hen", [("fox", L, "hen")]),
        ("a lamp three feet above a table", [("lamp", A, "table")]),
        ("a cat several pixels right of a dog", [("cat", R, "dog")]),
        ("a bird over two feet above a dog", [("bird", A, "dog")]),
        ("a house two blocks away from a church", [("house", "far from", "church")]),
        ("a hand and two feet above a table", [("hand", A, "table"), ("feet", A, "table")]),
        ("a street light left of a mailbox", [("street light", L, "mailbox")]),
        ("a man left of a red street light at night", [("man", L, "red street light")]),
        ("a neon light above a bar", [("neon light", A, "bar")]),
        ("a town square left of a church", [("town square", L, "church")]),
        ("a cat left of a dog if possible", [("cat", L, "dog")]),
        ("a cat left of a dog tonight", [("cat", L, "dog")]),
        ("a fox on the left, and on the right a hen", [("fox", "on the left side"), ("hen", "on the right side")]),
        ("a lamp on the left of the picture and a chair to the right of a bed", [("lamp", "on the left side"), ("chair", R, "bed")]),
        ("a cat on the left and a dog to the right of the cat", [("cat", "on the left side"), ("dog", R, "cat")]),
        ("a cat and a dog where the dog is on the left", [("dog", "on the left side")]),
        ("a bird, a cat and a dog where the dog is left of the cat", [("dog", L, "cat")]),
        ("a bus and a street where a cat and a dog are left of a tree", [("cat", L, "tree"), ("dog", L, "tree")]),
        ("a cat and a dog and the dog is above the cat", [("dog", A, "cat")]),
        ("a lamp above a table, and next to the table, a chair", [("lamp", A, "table"), ("chair", "near", "table")]),
        ("a cat left of a dog, above the dog, a red ball on grass", [("cat", L, "dog"), ("red ball", A, "dog")]),
        ("a cat left of a dog and above a table, a watercolor", [("cat", L, "dog"), ("cat", A, "table")]),
        ("a cat left of a dog and above the dog, a watercolor", [("cat", L, "dog"), ("cat", A, "dog")]),
        ("a cat left of a dog and above the dog, a snowy street", [("cat", L, "dog"), ("cat", A, "dog")]),
        ("three cups in a row, a spoon above the cups", [("spoon", A, "cups")]),
        ("a cat left of a dog in a park and a bird", [("cat", L, "dog"), ("cat", L, "bird")]),
        ("a paper square left of a wood oval", [("paper square", L, "wood oval")]),
        ("a circle left of a 2d square, oil painting", [("circle", L, "2d square")]),
        ("a dog square left of a cat", [("dog", L, "cat")]),
        ("from top to bottom, a cat above a dog", [("cat", A, "dog")]),
        ("light from the left to the right, a cat above a dog", [("cat", A, "dog")]),
        ("a painting above a sofa, a lamp to the left of the painting", [("painting", A, "sofa"), ("lamp", L, "painting")]),
        ("a bed below a big poster, a lamp on the right side of the poster", [("bed", B, "big poster"), ("lamp", R, "big poster")]),
        ("a painting of a cat left of a dog, a bird on the left of the painting", [("cat", L, "dog"), ("bird", "on the left side")]),
        ("oil painting, a cat left of a dog, a bird on the left of the painting", [("cat", L, "dog"), ("bird", "on the left side")]),
        ("a picture above a bed, a lamp at the top of the picture", [("picture", A, "bed"), ("lamp", A, "picture")]),
        ("a dog left of the picture", [("dog", "on the left side")]),
        ("a picture above a bed, a dog left of the picture", [("picture", A, "bed"), ("dog", L, "picture")]),
        ("a dog left of the picture frame", [("dog", L, "picture frame")]),
        ("a picture taken at night, a cat above a dog, a bird left of the picture", [("cat", A, "dog"), ("bird", "on the left side")]),
        ("The image features a cat above a dog, and a bird at the top of the image", [("cat", A, "dog"), ("bird", "at the top")]),
        ("a dog on the left of the photo, a cat on the right of the photo", [("dog", "on the left side"), ("cat", "on the right side")]),
        ("The painting is above a bed, a dog to the left of the painting", [("painting", A, "bed"), ("dog", L, "painting")]),
        ("a girl on the far left and a boy on the far right", [("girl", "on the left side"), ("boy", "on the right side")]),
        # a verb's form inside a name
        ("a cat left of an oak dining table", [("cat", L, "oak dining table")]),
        ("a cat left of a retro washing machine", [("cat", L, "retro washing machine")]),
        ("a rustic rocking chair left of a cat", [("rustic rocking chair", L, "cat")]),
        ("a cat left of a neon glowing orb", [("cat", L, "neon glowing orb")]),
        ("a cat left of a grand painted door", [("cat", L, "grand painted door")]),
        ("a cat left of a gold framed picture", [("cat", L, "gold framed picture")]),
        ("a plane carrying cargo left of a car", [("plane", L, "car")]),
        ("a man walking sticks left of a cat", [("man", L, "cat")]),
        ("an upside down boat left of a cat", [("upside down boat", L, "cat")]),
        ("a classic painting left of a cat", [("classic painting", L, "cat")]),
        ("a cat left of an orange facing left", [("cat", L, "orange")]),
        ("a cat left of an orange made of glass", [("cat", L, "orange")]),
        ("a cat left of an orange fluffy rug", [("cat", L, "orange fluffy rug")]),
        ("an orange and white ice cream left of a cat", [("orange and white ice cream", L, "cat")]),
        ("a cat left of a plastic night light", [("cat", L, "plastic night light")]),
        ("a giant yellow moon above a dog", [("giant yellow moon", "above", "dog")]),
        ("a baby grand piano left of a cat", [("baby grand piano", L, "cat")]),
        ("a radio left of a mac mini", [("radio", L, "mac mini")]),
        ("grandma's cozy cabin left of a cat", [("grandma's cozy cabin", L, "cat")]),
        ("a retro wooden table left of a cat", [("retro wooden table", L, "cat")]),
        ("a cat left of a birthday cake cut in half", [("cat", L, "birthday cake")]),
        ("a capybara playing cards left of a lamp", [("capybara", L, "lamp")]),
        ("a statue drinking water left of a lamp", [("statue", L, "lamp")]),
        ("oak dining tables left of a lamp", [("oak dining tables", L, "lamp")]),
        ("an orange pixel art fox left of a dog", [("orange pixel art fox", L, "dog")]),
        ("an orange rolled up carpet left of a dog", [("orange rolled up carpet", L, "dog")]),
        ("a giant orange left of a cat", [("giant orange", L, "cat")]),
        ("a snow covered orange left of a cat", [("snow covered orange", L, "cat")]),
        ("a snow covered hot dog left of a cat", [("snow covered hot dog", L, "cat")]),
        ("a dog left of a cat orange and white", [("dog", L, "cat")]),
        ("a cat left of a watermelon cut in half", [("cat", L, "watermelon")]),
        ("a cat left of a house set on fire", [("cat", L, "house")]),
        ("a tea set left of a cat", [("tea set", L, "cat")]),
        ("a toy sports car left of a cat", [("toy sports car", L, "cat")]),
        ("a cat left of a traffic light from behind", [("cat", L, "traffic light")]),
        ("an ice skating penguin left of an igloo", [("ice skating penguin", L, "igloo")]),
        ("a tree centered in the frame, a swing left of the tree", [("swing", L, "tree")]),
        ("a frame above a bed, a photo in the frame", [("frame", "above", "bed"), ("photo", "inside", "frame")]),
        ("a cat to the left and a dog to the right", [("cat", "on the left side"), ("dog", "on the right side")]),
        ("a knife left of the plate. a fork to the right", [("knife", L, "plate"), ("fork", "on the right side")]),
        ("a television above a fireplace in a cozy living room", [("television", "above", "fireplace")]),
        ("a sign right of a hydrant on a street corner", [("sign", "right of", "hydrant")]),
        ("a wood burning stove above a steel frying pan", [("wood burning stove", A, "steel frying pan")]),
        ("two fire breathing dragons left of a guitar playing frog", [("fire breathing dragons", L, "guitar playing frog")]),
        ("a hand painted vase left of a leather bound book", [("hand painted vase", L, "leather bound book")]),
        ("a cat left of a corgi riding skateboard", [("cat", L, "corgi")]),
        ("Batman reading newspaper left of a man named John", [("Batman", L, "man")]),
        ("a fire giving light left of a book painted red", [("fire", L, "book")]),
        ("a cat left of a house painted Monet", [("cat", L, "house")]),
        ("a pipe leaking drops left of a box painted with flowers", [("pipe", L, "box")]),
        ("a rolled up carpet left of a red pop up tent", [("rolled up carpet", L, "red pop up tent")]),
        ("a broken down car left of a blown up red balloon", [("broken down car", L, "blown up red balloon")]),
        ("a cat left of a dog up trees", [("cat", L, "dog")]),
        ("a chocolate bar left of a cup", [("chocolate bar", L, "cup")]),
        # style inside a name, and a thing that is how pictures are made
        ("pixel art cat left of pixel art dog", [("pixel art cat", L, "pixel art dog")]),
        ("an art deco lamp left of a 3d render cat, pop art", [("art deco lamp", L, "3d render cat")]),
        ("a cat left of a film noir detective masterpiece", [("cat", L, "film noir detective")]),
        ("a pop art poster above an oil painting", [("pop art poster", A, "oil painting")]),
        ("a dog sticker left of a cat", [("dog sticker", L, "cat")]),
        # what a prompt opens with
        ("A highly detailed, photorealistic image of an old man right of a boat", [("old man", R, "boat")]),
        ("a still life with a pear left of a jug", [("pear", L, "jug")]),
        ("Design a logo with a lion above a crown", [("lion", A, "crown")]),
        ("put the cat on the left and the dog on the right", [("cat", "on the left side"), ("dog", "on the right side")]),
        ("two friends, one tall and one short, sitting left of a lamp", [("friends", L, "lamp")]),
        ("a great white shark left of a girl in a yellow raincoat", [("great white shark", L, "girl")]),
        ("a girl in a yellow raincoat left of a cat", [("girl", L, "cat")]),
        ("a hand held fan left of a moon lit castle", [("hand held fan", L, "moon lit castle")]),
        ("a four leaf clover left of a 5 star hotel", [("four leaf clover", L, "5 star hotel")]),
        ("a man left of a woman talking on a cell phone", [("man", L, "woman")]),
        ("a man left of a woman on the phone", [("man", L, "woman")]),
        ("a hand carved wooden bowl above a corn field", [("hand carved wooden bowl", A, "corn field")]),
        ("a self driving car left of a box painted bright red", [("self driving car", L, "box")]),
        ("a dozen eggs left of a kind of bird", [("eggs", L, "bird")]),
        ("a brand new car left of a car", [("brand new car", L, "car")]),
        ("a cat to the immediate left of a dog", [("cat", L, "dog")]),
        ("a cat off to the left of a dog", [("cat", L, "dog")]),
        ("a cat in the lower left-hand corner", [("cat", "in the bottom left corner")]),
        ("- a cat left of a dog\n- a bird above a box", [("cat", L, "dog"), ("bird", A, "box")]),
        ("1) a cat left of a dog\n2) a bird above a box", [("cat", L, "dog"), ("bird", A, "box")]),
        ("1. a cat left of a dog\n2. a bird above a box", [("cat", L, "dog"), ("bird", A, "box")]),
        ("a cat left of\n2 dogs", [("cat", L, "dogs")]),
        ("a cat left of a dog::2 bird", [("cat", L, "dog")]),
        # names of somebody, and full stops that end nothing
        ("Mrs. Smith left of Dr. Strange", [("Mrs. Smith", L, "Dr. Strange")]),
        ("the U.S. flag left of the U.K. flag. A cat above a dog", [("U.S. flag", L, "U.K. flag"), ("cat", A, "dog")]),
        ("Jack Black left of Prince Harry", [("Jack Black", L, "Prince Harry")]),
        ("a Cat left of a Dog Happy", [("Cat", L, "Dog")]),
        ("a cat left of a dog\u2026 masterpiece", [("cat", L, "dog")]),
        ("\u300ca cat left of a dog\u300d", [("cat", L, "dog")]),
        # "top" is a thing where no other is named
        ("a red top left of a blue skirt", [("red top", L, "blue skirt")]),
        ("a cat sitting top left of a dog", [("cat", "upper left of", "dog")]),
        # one name, although a relation or an "and" stands in it
        ("a jack in the box left of a corn on the cob", [("jack in the box", L, "corn on the cob")]),
        ("pigs in a blanket left of a hen of the woods", [("pigs in a blanket", L, "hen of the woods")]),
        ("a bow and arrow left of a bacon and egg sandwich", [("bow and arrow", L, "bacon and egg sandwich")]),
        ("a bow and an arrow left of a cat", [("bow", L, "cat"), ("arrow", L, "cat")]),
        ("a black-and-white flag left of a nearby tower", [("black-and-white flag", L, "nearby tower")]),
        ("an exit right sign above a left pointing arrow", [("exit right sign", A, "left pointing arrow")]),
        ("a robot above a top loading washing machine", [("robot", A, "top loading washing machine")]),
        ("a cat pointing left above a dog", [("cat", A, "dog")]),
        ("a German Shorthaired Pointer left of a Pembroke Welsh Corgi", [("German Shorthaired Pointer", L, "Pembroke Welsh Corgi")]),
        ("an American black bear left of an African grey parrot", [("American black bear", L, "African grey parrot")]),
        ("a mandarin orange left of a wind chime", [("mandarin orange", L, "wind chime")]),
        ("a cliff dwelling above a party bunting", [("cliff dwelling", A, "party bunting")]),
        ("a one-piece bathing suit left of a robot engraving wood", [("one-piece bathing suit", L, "robot")]),
        ("a black and chrome motorcycle left of a wooden and glass table", [("black and chrome motorcycle", L, "wooden and glass table")]),
        ("a silver and gold ring left of a cat and a dog", [("silver and gold ring", L, "cat"), ("silver and gold ring", L, "dog")]),
        ("a mid century modern lamp above a bookshop sign", [("mid century modern lamp", A, "bookshop sign")]),
        ("a lady in red left of a gentleman in black", [("lady", L, "gentleman")]),
        ("a house with a red roof left of a tree with green leaves", [("house", L, "tree")]),
        ("both a cat and a dog are left of a tree", [("cat", L, "tree"), ("dog", L, "tree")]),
        ("I would like to see a shark below a surfboard", [("shark", B, "surfboard")]),
        ("a kitten curled up inside an archway", [("kitten", "inside", "archway")]),
        ("a magician pulling a rabbit out of a hat stands left of a cat", [("magician", L, "cat")]),
        ("a witch riding a broom flies above a ten foot tall robot", [("witch", A, "robot")]),
        ("a cyclist wearing a yellow jersey left of a dog that runs a shop", [("cyclist", L, "dog")]),
        (
            "a cat on the left of the painting, a dog on the right of the painting",
            [("cat", "on the left side"), ("dog", "on the right side")],
        ),
        ("a wind swept tree left of a war torn city", [("wind swept tree", L, "war torn city")]),
        (
            "a stack of blue, red and green books left of a state of the art robot",
            [("stack of blue, red and green books", L, "state of the art robot")],
        ),
        ("a red and sky blue kite above a dark olive green vase", [("red and sky blue kite", A, "dark olive green vase")]),
        ("a knocked over vase left of a light switch on a wall", [("knocked over vase", L, "light switch")]),
        ("a cat left of a man knocking on a door", [("cat", L, "man")]),
        ("a kid playing on a swing", [("kid", "on top of", "swing")]),
        ("taps on a sink", [("taps", "on top of", "sink")]),
        ("a man in a hurry left of a dog on its hind legs", [("man", L, "dog")]),
        ("a canvas tote bag above a remote control", [("canvas tote bag", A, "remote control")]),
        # how far, before anything is named
        ("a bit to the left of the tree is a house", [("house", L, "tree")]),
        ("two meters left of a tree, a house", [("house", L, "tree")]),
        ("a tree. A little above the tree is a kite", [("kite", A, "tree")]),
        ("two feet above a table, a milky way above a hill", [("feet", A, "table"), ("milky way", A, "hill")]),
        ("A table with a vase on it. To the left of the vase is a candle", [("candle", L, "vase")]),
        # what a thing holds, and what somebody does, before a verb of the whole
        ("a bowl full of red apples left of a jug full of milk", [("bowl", L, "jug")]),
        ("a vase filled with tulips placed on a windowsill", [("vase", "on top of", "windowsill")]),
        ("a boy holding a balloon stands next to a tent", [("boy", "near", "tent")]),
        ("a vase with flowers is left of a dog", [("vase", L, "dog")]),
        ("a cat and, to its left, a dog", [("dog", L, "cat")]),
        ("under the bridge a homeless man", [("homeless man", B, "bridge")]),
        ("a 4k wallpaper of a planet above an ocean", [("planet", A, "ocean")]),
        ("a 10 year old boy left of half an apple", [("boy", L, "apple")]),
        ("a half eaten apple left of a half moon", [("half eaten apple", L, "half moon")]),
        ("a cat left of a dog, not blurry", [("cat", L, "dog")]),
        ("a dog sleeps, the dog left of the cat", [("dog", L, "cat")]),
        (
            "a square and a red circle left of an orange and a red ball",
            [
                ("square", L, "orange"),
                ("square", L, "red ball"),
                ("red circle", L, "orange"),
                ("red circle", L, "red ball"),
            ],
        ),
    ],
)
def test_what_is_read(prompt, expected):
    assert entries(parse_prompt(prompt)) == expected


@pytest.mark.parametrize(
    "prompt", ["\ufeffa cat left of a dog", "a cat\u200b left of a\u200bdog", "a \u202acat\u202c left of a dog\u200f, 4k"]
)
def test_characters_without_width_are_no_part_of_a_name(prompt):
    assert parse_prompt(prompt).objects == ("cat", "dog")


@pytest.mark.parametrize(
    ("prompt", "at"),
    [
        ("the boy left a note on the fridge", "left"),
        ("the train left the station, a clock above the platform", "left"),
        ("a man left his keys on a table", "left"),
        ("a fox to the left and a hen to the right of a tree", "to the left"),
        ("a bird at the top and a cat at the bottom of a ladder", "at the top"),
        ("a fox two strides left of a hen", "two strides"),
        ("a glass half full of water left of a plate", "half full of water"),
        ("a house with a red roof and a chimney left of a tree", "a chimney"),
        ("a tree with apples left of a house", "with"),
        ("a cat on the left side from a dog", "on the left side from"),
        ("a man pouring water over a plant", "pouring water"),
        ("red apple green pear left of knife", "green pear"),
        ("two dogs fighting over a bone", "two dogs fighting over a bone"),
        ("a woman typing on a laptop", "on"),
        ("a girl putting on a hat left of a dog", "putting on a hat"),
        ("a girl interested in a book", "in"),
        ("a cat above a vase sits left of a lamp", "a vase sits"),
        ("a woman in a hurry", "in"),
        ("a tower over a mile high", "a tower over a mile high"),
        ("a dog on a walk", "on"),
        ("a man on his knees", "on"),
        ("a few steps left of a tree is a house", "is a house"),
        ("a foot above the table floats a ball", "floats a ball"),
        ("a cat; left of a dog, a bird", "l"),
        ("an apple, orange and banana above a plate", "and"),
        ("a cat left of an orange and apple", "and"),
        ("a dog sleeping and cat left of a tree", "and"),
        ("a pair of over the ear headphones left of a phone", " "),
        ("a bowl filled with apples with a worm left of a dog", "with"),
        ("a boy holding a balloon above a tent", "holding"),
        ("a man watching a dog who sits left of a tree", "watching a dog who sits"),
        ("a table holding a vase a cat sits left of a dog", "holding"),
        ("a cat to its left, a dog", "to its left"),
        ("from left to right, a cat and a dog", "from"),
        ("a cat above you", "you"),
        ("there is a cat. It's left of a dog", "It's"),
        ("a cat left of a man with long hair and a beard", "a beard"),
        ("the black cat was sitting on top of the wooden table with a green lamp and a white book", "a white book"),
        ("a cat between a dog wearing a hat and a bird", "a bird"),
        ("a woman in a coat and a hat left of a man", "a hat"),
        ("a cat left of a man eating an apple and a pear", "a pear"),
        ("the cup left of the plate; the fork, right", "right"),
        ("in the centre, a tree; left, a house; right, a car", "left"),
        ("a red and a blue ball left of a cat", "red"),
        ("a cat left of a big and a small dog", "big"),
        ("one old and one young man above a boat", "old"),
        ("a picture above a bed, a lamp in the middle of the picture", "in the middle of the picture"),
        ("a cat close to the left edge", "left edge"),
        ("a cat left of a pulled over car", "pulled"),
        ("a cat left of a dog sticker", "sticker"),
        ("a mountain top left of a lake", "mountain top"),
        ("Between the two towers is a bridge", "the two towers"),
        ("three balls: red left of blue", "red"),
        ("a red ball and a blue ball, red on the left", "red"),
        ("a red ball left of a blue one", "blue one"),
        ("a cat left of a dog, not a bird", "not"),
        ("a cat left of a dog, not right", "not"),
        ("a cat toy and a mat, the cat left of a dog", "cat"),
        ("a hot dog stand, cat left of dog", "dog"),
        ("a sofa. A cat portrait. The cat is left of a dog", "cat"),
        ("a cat left of a dog\nNegative prompt: a dog above a cat, blurry\nSteps: 20", "Negative prompt:"),
        ("a cat left of a dog, negative prompt: blurry", "negative prompt:"),
        ("a cat left of a dog. Negative: blurry", "Negative:"),
        ("a cat left of a dog\\nNegative: bird", "\\n"),
        ("a cat left of a dog, instead of a bird above a tree", "instead of"),
        ("a cat left of a dog, as opposed to a bird above a tree", "as opposed to"),
        ("a cat left of a dog; avoid text at the bottom", "avoid"),
        ("a cat in a park with a dog on the right", "a dog"),
        ("a castle under a blue sky with a dragon on the right", "a dragon"),
        ("a dog in a park with trees on the left", "trees"),
        ("a city at night with the moon at the top", "the moon"),
        ("a cat that chases a dog left of a tree", "a dog"),
        ("a woman who looks at a bird above a tree", "a bird"),
        ("a cat in a park looking at a bird above a tree", "a bird"),
        ("a dog in a park and a cat on the left", "a cat"),
        ("a house whose door is left of a tree", "whose door is"),
        ("a cat anywhere except above a dog", "except"),
        ("a cat everywhere but left of a dog", "everywhere but"),
        ("a cat left of himself", "himself"),
        ("a knife to the left of the plate and a fork to the right", "to the right"),
        ("a c\u00adat left of a dog", "c at"),
    ],
)
def test_what_is_refused(prompt, at):
    with pytest.raises(PromptError) as error:
        parse_prompt(prompt)
    assert marked(error.value) == at


@pytest.mark.parametrize(
    ("prompt", "part"),
    [
        ("A table with a vase on it. To the left of the vase is a candle.", "with a vase on it"),
        ("a box with two kittens in it. A cat is left of a dog.", "with two kittens in it"),
        ("the cat is under the table, and the dog is on it", "the dog is on it"),
        ("a lamp left of a box, two kittens sleep in it", "two kittens sleep in it"),
    ],
)
def test_a_place_that_a_pronoun_names_is_told(prompt, part):
    """Its relation is not read, though another one is."""
    with pytest.warns(PromptWarning, match=f"where `{part}` says is not guided"):
        assert len(parse_prompt(prompt).relations) == 1


@pytest.mark.parametrize(
    ("prompt", "part"),
    [
        ("a cat above a dog, bird right", "`bird right` is not guided; write `on the right`"),
        ("an apple and an orange on a table, apple left, oil painting", "`apple left` is not guided; write `on the left`"),
    ],
)
def test_one_side_beside_another_relation_is_told(prompt, part):
    with pytest.warns(PromptWarning, match=part):
        parse_prompt(prompt)


@pytest.mark.parametrize(
    "prompt", ["a cat above a dog, bird left, fish right", "a cat above a dog, turning left", "a cat above a dog, all right"]
)
def test_what_is_read_or_no_place_is_not_told(prompt):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parse_prompt(prompt)


@pytest.mark.parametrize("prompt", ["the cat's left of the dog", "there's a cat and a dog; the cat\u2019s on the left"])
def test_a_verb_that_is_cut_short_is_no_name(prompt):
    with pytest.raises(PromptError, match="write `cat is` if that is meant"):
        parse_prompt(prompt)
    assert parse_prompt("a McDonald's left of the dog's bowl").objects == ("McDonald's", "dog's bowl")


SIDES = [("man", "on the left side"), ("dog", "on the right side")]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a man walking on the left, a dog on the right", SIDES),
        ("a man drives on the left, a dog on the right", SIDES),
        ("a man typing on the left and a dog on the right side", SIDES),
        ("a man looking to the left, a dog on the right", SIDES[1:]),
        ("two faces on the left, a dog on the right", [("faces", "on the left side"), SIDES[1]]),
        ("stars on the left, a dog on the right", [("stars", "on the left side"), SIDES[1]]),
        ("stars left, a dog right", [("stars", "on the left side"), SIDES[1]]),
        ("a man visible on the left, a dog upside-down on the right", SIDES),
        ("a man fast asleep on the left, a dog on the right", SIDES),
        ("a man amid smoke left of a dog", [("man", L, "dog")]),
        ("a trash can is left of a beer can", [("trash can", L, "beer can")]),
        ("a circle left of a square, a heart beneath a star", [("circle", L, "square"), ("heart", B, "star")]),
        ("a circle left of a square, a heart under a moon", [("circle", L, "square"), ("heart", B, "moon")]),
        ("a cat left of a dog under a full moon, a bird under the stars above a tree", [("cat", L, "dog"), ("bird", A, "tree")]),
        ("a box left of more than two apples", [("box", L, "apples")]),
        ("approximately 3 cups above nearly 20 plates", [("cups", A, "plates")]),
        ("cat atop of dog, bird underneath of box", [("cat", "on top of", "dog"), ("bird", B, "box")]),
        ("a cat above of a dog, a bird alongside of the dog", [("cat", A, "dog"), ("bird", "near", "dog")]),
        ("a cat left of a trash can is red", [("cat", L, "trash can")]),
    ],
)
def test_where_somebody_walks_and_what_stands_after_a_name(prompt, expected):
    assert entries(parse_prompt(prompt)) == expected


@pytest.mark.parametrize(
    "prompt",
    [
        "a picture that shows {}", "an illustration which features {}", "draw {}", "draw me {}", "please paint {}", "generate {}",
        "I want {}", "I would like to see {}", "we see {}", "here's {}", "{}, shot on a Canon EOS R5", "{}, taken on an iPhone",
        "{} over a white background", "{} -ar 16:9", "{} \u2013ar 16:9", "{} \u2014ar 16:9",
    ],
)  # fmt: skip
@pytest.mark.parametrize("objects", ["a cat left of a dog", "cat left of dog"])
def test_what_stands_around_it_is_no_part_of_the_picture(prompt, objects):
    assert entries(parse_prompt(prompt.format(objects))) == [("cat", L, "dog")]


def test_a_dash_that_no_option_follows_ends_nothing():
    assert entries(parse_prompt("a cat left of a dog \u2014a bird above the dog")) == [("cat", L, "dog"), ("bird", A, "dog")]


TAILS = """in a Pixar style|in a minimalist style|in a flat design style|in a children's book style|in a Wes Anderson film
in a music video|in a cozy atmosphere|in an urban environment|in a natural setting|in a symmetrical composition
in a wide shot|in a single frame|in a 16:9 frame|in a square format|in a warm palette|under studio lighting
under soft studio lighting|under candlelight|under the aurora|under falling snow|on a plain white background
on a solid color background|on a gray seamless backdrop|on a plain blue wall|on a clean white surface
on a green screen|in the 1920s|in the '80s|in the 19th century|in the Middle Ages|in the year 3000|in the future
near sunset|in a blizzard|in the Alps|on a farm|on the surface of Mars|on the bank of a river|on the bottom of the sea
on a tennis court|on a rooftop|on a leash|on a road trip|on two legs|with focus on the cat|, emphasis on the cat
, set in the 1920s|, reflected in a mirror|, smaller than usual|, close to camera|, lying on their backs
, rim light on the right|, copy space on the left side|shot from below|shot on film|, painted on a wooden panel
, projected on a screen|, in four panels|, light from the left|, hat on its head|, a smile on its face
, running in a marathon|, shot on a tripod|, hidden in the shadows"""


@pytest.mark.parametrize("tail", [tail for line in TAILS.splitlines() for tail in line.split("|")])
def test_how_a_picture_is_made_is_no_object(tail):
    assert entries(parse_prompt(f"a cat left of a dog {tail}".replace(" ,", ","))) == [("cat", L, "dog")]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a cat left of a dog, lying on a box", [("cat", L, "dog"), ("cat", "on top of", "box")]),
        ("a cat left of a dog, sitting on a box", [("cat", L, "dog"), ("cat", "on top of", "box")]),
        ("a cat left of a dog, placed on a box", [("cat", L, "dog"), ("cat", "on top of", "box")]),
        ("a cat left of a dog and riding on a horse", [("cat", L, "dog"), ("cat", "on top of", "horse")]),
        ("a cat left of a dog, reading under a tree", [("cat", L, "dog"), ("cat", B, "tree")]),
        ("a cat left of a dog and a bird, lying on a box", [("cat", L, "dog"), ("cat", L, "bird"), ("cat", "on top of", "box")]),
        ("a cat left of a dog, a painting above a box", [("cat", L, "dog"), ("painting", A, "box")]),
        ("a cat left of a dog, a light on the left", [("cat", L, "dog"), ("light", "on the left side")]),
        ("a cat left of a dog, a bird in a picture frame", [("cat", L, "dog"), ("bird", "inside", "picture frame")]),
    ],
)
def test_who_does_what_after_a_comma(prompt, expected):
    """A comma goes on about the same object, whatever it does."""
    assert entries(parse_prompt(prompt)) == expected


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("cat left of dog\nbird above tree", [("cat", L, "dog"), ("bird", A, "tree")]),
        ("Sunset\ncat left of dog", [("cat", L, "dog")]),
        ("masterpiece\n\na cat left of a dog\nwith a hat", [("cat", L, "dog")]),
        ("a cat to the left\nof a dog", [("cat", L, "dog")]),
        ("a red\ncat left of a\ndog", [("red cat", L, "dog")]),
        ("a few dogs left of a cat\nsome birds above a box", [("dogs", L, "cat"), ("birds", A, "box")]),
    ],
)
def test_a_line_break_ends_a_part_unless_the_next_line_goes_on(prompt, expected):
    assert entries(parse_prompt(prompt)) == expected


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a dog in a park, a cat on the left", [("cat", "on the left side")]),
        ("a cat in a park left of a dog", [("cat", L, "dog")]),
        ("a man in a suit with a red tie left of a woman", [("man", L, "woman")]),
        ("a woman whose hat is red left of a man", [("woman", L, "man")]),
        ("a boy holding a balloon left of a tent", [("boy", L, "tent")]),
        ("an old man playing the accordion beside a box", [("old man", "near", "box")]),
        ("a viking with a braided beard holding an axe on the left of a bear", [("viking", L, "bear")]),
        ("a cat that is sitting in a park left of a dog", [("cat", L, "dog")]),
        ("a cat, eyes closed, above a dog", [("cat", A, "dog")]),
        ("a cat, its tail up, left of a dog", [("cat", L, "dog")]),
    ],
)
def test_settings_and_parts_before_a_relation(prompt, expected):
    assert entries(parse_prompt(prompt)) == expected


@pytest.mark.parametrize("opening", ["Once upon a time,", "This is", "We want", "macro photo on a tripod,"])
def test_what_opens_a_prompt_is_no_object(opening):
    assert entries(parse_prompt(f"{opening} a cat left of a dog")) == [("cat", L, "dog")]


@pytest.mark.parametrize("picture", ["a portrait in the style of Rembrandt", "a poster in a museum"])
def test_what_a_picture_shows_behind_its_setting_is_refused(picture):
    with pytest.raises(PromptError, match="write it right after `of`"):
        parse_prompt(f"{picture} of a cat left of a dog")


@pytest.mark.parametrize("place", ["the other side of a table", "the far side of a table", "the underside of a table"])
def test_a_side_of_a_thing_is_no_object(place):
    with pytest.raises(PromptError, match="is a part of the picture or of an object"):
        parse_prompt(f"a cat on {place}")


@pytest.mark.parametrize("name", ["a family photo", "a cat wallpaper", "wall art", "a sepia photo"])
def test_a_picture_that_stands_in_a_relation_is_one_thing(name):
    assert entries(parse_prompt(f"{name} above a sofa")) == [(name.removeprefix("a "), A, "sofa")]


@pytest.mark.parametrize("place", ["in the left column", "in the top row", "near the left edge"])
def test_parts_of_a_picture_are_no_objects(place):
    with pytest.raises(PromptError):
        parse_prompt(f"a cat {place}")
