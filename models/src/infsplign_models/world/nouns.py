"""The nouns of the world of pictures: names of COCO's classes, and the code points of the emoji that draw them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Noun:
    """A noun and its drawings.

    Attributes:
        name: as COCO spells it.
        code_points: of the emoji that draw it. Each is drawn twice, by Fluent Emoji 3D and by Noto Emoji.
        size: side of its square relative to that of other nouns.
        colours: the colour of each code point's drawing, where the caption may tell it.
    """

    name: str
    code_points: tuple[str, ...]
    size: float = 1.0
    colours: tuple[str, ...] = ()


NOUNS: tuple[Noun, ...] = (
    Noun("person", ("1f9cd", "1f9cd-200d-2642-fe0f"), 1.1),
    Noun("car", ("1f697", "1f699"), 1.0, ("red", "blue")),
    Noun("airplane", ("2708-fe0f",)),
    Noun("bus", ("1f68c",)),
    Noun("train", ("1f686",)),
    Noun("boat", ("26f5",)),
    Noun("traffic light", ("1f6a6",)),
    Noun("bird", ("1f426",)),
    Noun("cat", ("1f408",)),
    Noun("dog", ("1f415",)),
    Noun("horse", ("1f40e",)),
    Noun("sheep", ("1f411",)),
    Noun("cow", ("1f404",)),
    Noun("elephant", ("1f418",), 1.1),
    Noun("bear", ("1f43b",)),
    Noun("zebra", ("1f993",)),
    Noun("giraffe", ("1f992",), 1.1),
    Noun("backpack", ("1f392",)),
    Noun("umbrella", ("2602-fe0f",)),
    Noun("suitcase", ("1f9f3",)),
    Noun("sports ball", ("26bd",), 0.9),
    Noun("wine glass", ("1f377",)),
    Noun("cup", ("2615",), 0.9),
    Noun("banana", ("1f34c",), 0.9),
    Noun("apple", ("1f34e", "1f34f"), 0.9, ("red", "green")),
    Noun("orange", ("1f34a",), 0.9),
    Noun("broccoli", ("1f966",), 0.9),
    Noun("carrot", ("1f955",), 0.9),
    Noun("hot dog", ("1f32d",)),
    Noun("pizza", ("1f355",)),
    Noun("donut", ("1f369",), 0.9),
    Noun("cake", ("1f382",)),
    Noun("chair", ("1fa91",)),
    Noun("couch", ("1f6cb-fe0f",)),
    Noun("potted plant", ("1fab4",)),
    Noun("tv", ("1f4fa",)),
    Noun("laptop", ("1f4bb",)),
    Noun("book", ("1f4d5", "1f4d8"), 0.9, ("red", "blue")),
    Noun("clock", ("23f0",)),
    Noun("teddy bear", ("1f9f8",)),
)
NAMES: tuple[str, ...] = tuple(noun.name for noun in NOUNS)
BY_NAME: dict[str, Noun] = {noun.name: noun for noun in NOUNS}
