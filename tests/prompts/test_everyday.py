"""Everyday prompts whose reading was wrong without a word: names that took in verbs and measures, sides that are shared."""

import pytest

from infsplign import PromptError, parse_prompt
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
        ("a cat left of a pulled over car", "pulled"),
        ("a cat left of a dog sticker", "sticker"),
        ("a mountain top left of a lake", "mountain top"),
        ("2 dogs left of a cat\n3 birds above a box", "3 birds"),
        ("Between the two towers is a bridge", "the two towers"),
        ("three balls: red left of blue", "red"),
        ("a red ball and a blue ball, red on the left", "red"),
        ("a red ball left of a blue one", "blue one"),
        ("a cat left of a dog, not a bird", "not"),
        ("a cat left of a dog, not right", "not"),
        ("a cat toy and a mat, the cat left of a dog", "cat"),
        ("a hot dog stand, cat left of dog", "dog"),
        ("a sofa. A cat portrait. The cat is left of a dog", "cat"),
    ],
)
def test_what_is_refused(prompt, at):
    with pytest.raises(PromptError) as error:
        parse_prompt(prompt)
    assert marked(error.value) == at
