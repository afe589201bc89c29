"""`guide(adjectives=...)`: which words of the prompt an object's map is read from."""

from infsplign import guide
from tests import tiny

PROMPT = "a red chair left of a small dog"


def test_the_noun_carries_the_map_alone_where_asked():
    pipe = tiny.sd()
    texts = {}
    for adjectives in ("join", "leave"):
        with guide(pipe, PROMPT, adjectives=adjectives) as guidance:
            pipe(PROMPT, num_inference_steps=1, output_type="latent")
            ids = pipe.tokenizer(PROMPT).input_ids
            texts[adjectives] = [pipe.tokenizer.decode([ids[i] for i in row]).strip() for row in guidance.token_indices[0]]
    assert texts == {"join": ["red chair", "small dog"], "leave": ["chair", "dog"]}


def test_what_is_given_by_hand_stays_as_it_is():
    guidance = guide(tiny.sd(), PROMPT, relations=[("red chair", "left of", "dog")], adjectives="leave")
    assert guidance.scenes[0].objects == ("red chair", "dog")


def test_places_and_between_by_hand():
    prompt = "a cat, a dog and a tree"
    scene = guide(tiny.sd(), prompt, relations=[("cat", "between", ("dog", "tree")), ("dog", "on the left")]).scenes[0]
    assert [scene.text(edge) for edge in scene.relations] == ["cat between dog and tree", "dog on the left side"]
