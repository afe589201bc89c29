"""Names of things whose first word is a verb's form or says how a picture is made: "washing machine", "photo frame"."""

from collections.abc import Sequence

from infsplign.prompts.lexicon import ADJECTIVE, NOUN, classes
from infsplign.prompts.word_classes import is_being, is_plural
from infsplign.prompts.word_lists import INANIMATE, MASS, word_set

COMPOUNDS = {
    first: word_set(things)
    for first, things in (
        ("baking", "sheet tray dish tin pan bowl powder soda"),
        ("bathing", "suit cap machine"),
        ("boarding", "pass ramp"),
        ("bowling", "ball pin shoe alley"),
        ("boxing", "glove ring match"),
        ("building", "block site crane"),
        ("carving", "knife board"),
        ("changing", "table mat room"),
        ("chewing", "gum toy"),
        ("climbing", "wall rope frame rose boot"),
        ("coloring", "book page"),
        ("colouring", "book page"),
        ("cooking", "pot pan oil stove utensil book"),
        ("cutting", "board mat machine"),
        ("dining", "table room chair hall set car"),
        ("diving", "board suit helmet bell mask"),
        ("drawing", "board pad tablet"),
        ("dressing", "table room gown"),
        ("drinking", "glass fountain straw horn cup water bird"),
        ("drying", "rack machine"),
        ("engraving", "machine tool"),
        ("exercising", "bike machine"),
        ("filing", "cabinet box"),
        ("fishing", "rod boat net pole hook line lure reel hat village"),
        ("floating", "island candle dock lantern city castle"),
        ("flying", "saucer fish squirrel fox carpet car machine disc disk"),
        ("folding", "chair table knife bed fan screen bike stool"),
        ("frying", "pan"),
        ("gaming", "chair desk mouse keyboard laptop console computer pc headset setup room"),
        ("gardening", "glove tool hat fork"),
        ("grinding", "wheel machine stone"),
        ("hanging", "basket plant lamp light lantern chair pot garden planter"),
        ("hiking", "boot shoe trail pole stick backpack"),
        ("hunting", "dog rifle knife horn lodge hat"),
        ("ironing", "board"),
        ("jumping", "spider rope jack bean"),
        ("knitting", "needle machine basket"),
        ("laughing", "buddha hyena gull kookaburra"),
        ("living", "room statue"),
        ("loading", "dock ramp"),
        ("magnifying", "glass lens"),
        ("measuring", "cup tape spoon jug"),
        ("milking", "machine stool"),
        ("mixing", "bowl desk console"),
        ("moving", "van truck box walkway staircase"),
        ("operating", "table room"),
        ("packing", "box tape"),
        ("parking", "meter lot garage space sign ticket spot"),
        ("playing", "card field"),
        ("pouring", "jug can"),
        ("praying", "mantis"),
        ("racing", "car bike horse helmet boat bicycle yacht"),
        ("reading", "lamp glass chair nook room"),
        ("recording", "studio desk"),
        ("reclining", "chair buddha"),
        ("recycling", "bin"),
        ("riding", "boot helmet hat crop mower"),
        ("rocking", "chair horse"),
        ("rolling", "pin stone chair suitcase"),
        ("rowing", "boat machine"),
        ("running", "shoe track machine"),
        ("sailing", "boat ship"),
        ("sealing", "wax"),
        ("serving", "tray bowl dish cart"),
        ("sewing", "machine needle kit box"),
        ("shaving", "brush cream kit"),
        ("shipping", "container crate box"),
        ("shooting", "star gallery"),
        ("shopping", "cart bag basket trolley mall list"),
        ("singing", "bowl"),
        ("sitting", "room area duck"),
        ("skipping", "rope"),
        ("sleeping", "bag pad mask mat pill"),
        ("smoking", "pipe jacket gun"),
        ("soldering", "iron"),
        ("spinning", "wheel top"),
        ("standing", "desk lamp stone fan mirror"),
        ("steering", "wheel"),
        ("stepping", "stone stool"),
        ("swimming", "pool cap goggle trunk ring suit"),
        ("talking", "clock parrot drum"),
        ("tanning", "bed"),
        ("teething", "ring"),
        ("training", "wheel shoe dummy"),
        ("trading", "card post"),
        ("tuning", "fork"),
        ("vaulting", "horse"),
        ("vending", "machine"),
        ("viewing", "platform"),
        ("waiting", "room"),
        ("walking", "stick cane shoe frame boot"),
        ("washing", "machine line bowl board"),
        ("watering", "can hole"),
        ("waxing", "moon"),
        ("weaving", "loom"),
        ("weighing", "scale machine"),
        ("welding", "mask torch helmet"),
        ("wrapping", "paper"),
        ("wrecking", "ball"),
        ("writing", "desk pad table"),
        ("art", "gallery easel supplies book supply"),
        ("cartoon", "character figure"),
        ("comic", "book"),
        ("film", "camera projector reel roll strip"),
        ("framed", "picture painting photo photograph poster print mirror certificate artwork drawing portrait"),
        ("movie", "poster projector screen theater theatre ticket camera"),
        ("paint", "brush can bucket tube roller palette"),
        ("photo", "frame album booth camera"),
        ("picture", "frame book window"),
        ("games", "machine console room controller"),
        ("sports", "car bar ball bag shoe jacket coupe bike field stadium bottle"),
        ("video", "camera game recorder player"),
    )
}
"""What follows the first word in the name of one thing, whatever stands before it."""


def _may_act(word: str) -> bool:
    """Whether something can do what a form in "ing" says: a thing, and no word that describes one or says what it is made of."""
    letters = classes(word)
    return NOUN in letters and ADJECTIVE not in letters and word not in INANIMATE


def _done_to(thing: str) -> bool:
    """Whether a thing without an article may be what is done something to: "playing [cards]", "drinking [water]"."""
    return is_plural(thing) or thing in MASS or thing in ("gum", "rope")


def is_compound(words: Sequence[str], i: int) -> bool:
    """Whether the words `i` and `i + 1` are the name of one thing, or its plural; "two men walking sticks" says what somebody does.

    >>> is_compound("a retro washing machine".split(), 2), is_compound("two men walking sticks".split(), 2)
    (True, False)
    """
    if not 0 <= i < len(words) - 1 or words[i] not in COMPOUNDS:
        return False
    thing = words[i + 1]
    if i and words[i].endswith("ing") and (is_being(words[i - 1]) or (_may_act(words[i - 1]) and _done_to(thing))):
        return False
    return any(name in COMPOUNDS[words[i]] for name in (thing, thing.removesuffix("s"), thing.removesuffix("es")))
