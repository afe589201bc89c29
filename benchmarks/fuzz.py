"""Feeds any unicode text to the reading of prompts and to the alignment of tokens, for as long as is asked.

    python -m benchmarks.fuzz --seconds 60 [--seed 0] [--inputs 2000]

With `--inputs`, also that many spoiled files and options of the commands, see `benchmarks.fuzz_commands`. What must hold is below, one
function a property; the tests run the same with few examples. Nothing is downloaded: CLIP's vocabulary is that of the open_clip wheel, T5's
a small sentencepiece model of the tests.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from infsplign.core.scenes import Scene
from infsplign.core.spellings import SPELLINGS
from infsplign.errors import PromptError
from infsplign.prompts import parse_prompt, parse_relation
from infsplign.prompts.phrases import find_phrases, fold
from infsplign.prompts.tokens import read_phrases
from infsplign.prompts.weights import plain

_WORDS = (
    *SPELLINGS, "a", "the", "A", "one", "cat", "dog", "red chair", "star", "star fruit", "and", "&", ",", ";", ".", ":", "which", "is",
    "photo of", "behind", "it", "them", "each other", "(", "black", "with", "of the image", "in a park", "or", "café", "cafe\u0301", "猫",
    "猫狗", "🐱", "👩\u200d👩\u200d👧", "😂😂", "ﬁsh", "İstanbul", "straße", "ẞ", "\u200b", "\u00a0", "\u0301", "<|endoftext|>", "</s>",
)  # fmt: skip
SOUP = st.lists(st.sampled_from(_WORDS), max_size=14).map(" ".join)
_NOUNS = st.sampled_from(["cat", "dog", "red chair", "star", "star fruit", "A", "B", "🐱", "café", "black and white cat"])
_RELATIONS = st.sampled_from(sorted(SPELLINGS))


@st.composite
def sentences(draw: st.DrawFn) -> str:
    """What is nearly a prompt: objects, relations and joints in turn, some of them strange."""
    noun = st.builds("{} {}".format, st.sampled_from(["a", "the", ""]), _NOUNS | st.text(min_size=1, max_size=4))
    joint = st.sampled_from([", ", " and ", "; ", ", and ", ". ", ", which is ", " with ", "\n", "\u3001"])
    parts = [draw(st.sampled_from(["", "a photo of ", "in a park, "])), draw(noun)]
    for _ in range(draw(st.integers(1, 4))):
        parts += [" ", draw(_RELATIONS), " ", draw(noun)]
        if draw(st.booleans()):
            parts += [draw(joint), draw(noun)]
    return "".join(parts)


TEXTS = st.one_of(st.text(), SOUP, sentences(), st.lists(st.one_of(st.sampled_from(_WORDS), st.text(max_size=3))).map("".join))


@st.composite
def texts_with_phrases(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A text and one to three phrases, most of them cut out of it."""
    text = draw(TEXTS)
    words = text.split()
    phrases = []
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, max(0, len(words) - 1)))
        cut = " ".join(words[start : start + draw(st.integers(1, 3))])
        phrases.append(cut if cut and draw(st.integers(0, 9)) else draw(st.text(max_size=4)))
    return text, phrases


def check_prompt(text: str) -> str:
    """A prompt is read, with objects that occur in it, or refused with a marker and the way out; nothing else is raised."""
    outcomes = []
    for adjectives in ("join", "leave"):
        try:
            scene = parse_prompt(text, adjectives=adjectives)
        except PromptError as error:
            _explains(str(error))
            outcomes.append("refused")
            continue
        outcomes.append("read")
        assert scene.relations
        for phrase, (start, stop) in zip(scene.objects, find_phrases(text, scene.objects), strict=True):
            assert fold(phrase) in (fold(text[start:stop]), fold(plain(text)[start:stop]))
        assert {number for edge in scene.relations for number in edge.objects} == set(range(len(scene.objects)))
    return outcomes[0]


def _explains(message: str) -> None:
    assert "relations=[(" in message or "does not occur" in message or "only inside" in message or "must not be empty" in message, message


def check_relation(text: str) -> str:
    """A relation given by hand is an entry that `Scene.of` takes, or refused."""
    try:
        entry = parse_relation(text)
    except PromptError:
        return "refused"
    if len({fold(phrase) for phrase in (entry[0], *_others(entry))}) < 1 + len(_others(entry)):
        return "refused"  # "cat left of cat" is refused with its prompt
    scene = Scene.of([entry])
    assert all(fold(phrase) in fold(text) or fold(phrase) in fold(plain(text)) for phrase in scene.objects)
    return "read"


def _others(entry: Any) -> tuple[str, ...]:
    if len(entry) == 2:
        return ()
    return entry[2] if isinstance(entry[2], tuple) else (entry[2],)


def check_tokens(tokenizer: Any, text: str, phrases: Sequence[str]) -> str:
    """Positions lie in the text, ascend, belong to one phrase each, and decode to their phrase and nothing between its characters."""
    try:
        reading = read_phrases(tokenizer, text, phrases)
    except PromptError:
        return "refused"
    spans = find_phrases(text, phrases)
    taken: Counter[int] = Counter()
    for numbers, (start, stop) in zip(reading.numbers, spans, strict=True):
        assert list(numbers) == sorted(set(numbers))
        assert numbers[0] >= 0
        assert numbers[-1] < len(reading.ids) - reading.trailing
        taken.update(numbers)
        decoded = tokenizer.decode([reading.ids[i] for i in numbers])
        assert "\ufffd" not in decoded or "\ufffd" in text, (decoded, text[start:stop])
        if "<unk>" not in decoded:
            assert _letters(text[start:stop], tokenizer) in _letters(decoded, tokenizer), (decoded, text[start:stop])
    assert max(taken.values()) == 1, taken
    return "read"


def _letters(text: str, tokenizer: Any) -> str:
    """A text as its tokenizer normalises it, without blanks, commas and full stops, whose tokens are left out."""
    normalizer = tokenizer.backend_tokenizer.normalizer
    return "".join(fold(normalizer.normalize_str(text) if normalizer else text).replace("▁", "").replace(",", "").replace(".", "").split())


def _run(check: Callable[..., str], strategy: st.SearchStrategy, seconds: float, number: int) -> Counter[str]:
    """Draws examples until the time is over, in rounds of other seeds."""
    counts: Counter[str] = Counter()
    phases, checks = [Phase.generate, Phase.shrink], list(HealthCheck)
    end = time.monotonic() + seconds
    while time.monotonic() < end:

        @seed(number)
        @settings(max_examples=500, deadline=None, database=None, phases=phases, suppress_health_check=checks)
        @given(strategy)
        def one(drawn: Any) -> None:
            counts[check(drawn) if not isinstance(drawn, tuple) else check(*drawn)] += 1

        one()
        number += 1
    return counts


def _fuzz_commands(inputs: int, number: int) -> None:
    from benchmarks.fuzz_commands import run

    found, slowest = run(inputs, number)
    for name, counts in sorted(found.items()):
        print(f"{name:32} {counts.total():5} inputs: {counts['read']} read, {counts['refused']} refused, none failed", flush=True)
    print(f"{sum(counts.total() for counts in found.values())} inputs in all, at most {slowest:.1f} s each", flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    from tests.fixtures_tokenizers import build_clip_tokenizer, build_t5_tokenizer

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0, help="of the first round of 500 examples; each further round takes the next")
    parser.add_argument("--inputs", type=int, default=0, help="spoiled files and options of the commands")
    options = parser.parse_args(argv)
    if options.inputs:
        _fuzz_commands(options.inputs, options.seed)
    with tempfile.TemporaryDirectory() as folder:
        clip, t5 = build_clip_tokenizer(), build_t5_tokenizer(Path(folder))
        runs = {
            "parse_prompt": (check_prompt, TEXTS),
            "parse_relation": (check_relation, TEXTS),
            "CLIP tokens": (lambda text, phrases: check_tokens(clip, text, phrases), texts_with_phrases()),
            "T5 tokens": (lambda text, phrases: check_tokens(t5, text, phrases), texts_with_phrases()),
        }
        for name, (check, strategy) in runs.items():
            counts = _run(check, strategy, options.seconds / len(runs), options.seed)
            print(f"{name:15} {counts.total():7} texts: {counts['read']} read, {counts['refused']} refused, none failed", flush=True)


if __name__ == "__main__":
    main()
