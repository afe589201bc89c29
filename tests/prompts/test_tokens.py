import itertools
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infsplign.errors import PromptError
from infsplign.prompts.phrases import find_phrase, find_phrases, fold, underline
from infsplign.prompts.tokens import check_token_indices, token_indices
from tests.fixtures_tokenizers import WORDS, build_clip_tokenizer, build_t5_tokenizer

NFD = unicodedata.normalize("NFD", "café")
NFC = unicodedata.normalize("NFC", "café")


@pytest.fixture(scope="session")
def clip_tokenizer():
    return build_clip_tokenizer()


@pytest.fixture(scope="session")
def t5_tokenizer(tmp_path_factory):
    return build_t5_tokenizer(tmp_path_factory.mktemp("t5"))


class TestFindPhrase:
    @pytest.mark.parametrize(
        ("text", "phrase", "found"),
        [
            ("a cat", "cat", "cat"),
            ("A CAT.", "cat", "CAT"),
            ("cats and a cat, too", "cat", "cat"),
            ("a wine \n glass", "wine glass", "wine \n glass"),
            ("a cat-like dog and a cat", "cat", "cat"),
            ("a cat's toy, a cat", "cat", "cat"),
            ("a teddy-bear", "teddy-bear", "teddy-bear"),
            ("a chef\u2019s knife", "chef's knife", "chef\u2019s knife"),
            ('a "cat"', "cat", "cat"),
            (f"a {NFD} x", NFC, NFD),
            (f"a {NFC} x", NFD, NFC),
            (f"{NFD} cafe", "cafe", "cafe"),
            ("STRASSE", "straße", "STRASSE"),
            ("a 🐱 and", "🐱", "🐱"),
            ("👨\u200d👩 and 👨", "👨", "👨"),
            ("👍🏽 👍", "👍", "👍"),
            ("一只猫在桌上", "猫", "猫"),
            ("c++ (cat)", "c++", "c++"),
        ],
    )
    def test_finds_whole_words(self, text, phrase, found):
        start, stop = find_phrase(text, phrase)
        assert text[start:stop] == found
        assert start == text.rindex(found)  # every text has it once as a whole word, and what looks like it stands before

    @pytest.mark.parametrize(
        ("text", "phrase"),
        [
            ("cats", "cat"),
            ("a cat", "cats"),
            ("bobcat", "cat"),
            ("cat-like", "cat"),
            ("teddy-bear", "bear"),
            ("cat's", "cat"),
            (NFD, "cafe"),
        ],
    )
    def test_refuses_parts_of_words(self, text, phrase):
        with pytest.raises(PromptError, match="does not occur"):
            find_phrase(text, phrase)

    def test_overlapping_candidates_hide_nothing(self):
        assert find_phrase("xab ab ab", "ab ab") == (4, 9)

    def test_nth(self):
        assert find_phrase("cat cat cat", "cat") == find_phrase("cat cat cat", "cat", nth=0) == (0, 3)
        assert find_phrase("cat cat cat", "Cat", nth=2) == (8, 11)
        for wrong in (3, -1):
            with pytest.raises(PromptError, match="nth"):
                find_phrase("cat cat cat", "cat", nth=wrong)

    def test_miss_names_phrase_prompt_and_a_close_word(self):
        with pytest.raises(PromptError, match=r"(?s)'cat'.*two cats left.*Did you mean 'cats'"):
            find_phrase("two cats left of a dog", "cat")

    @pytest.mark.parametrize("phrase", ["", "  "])
    def test_empty_phrase(self, phrase):
        with pytest.raises(PromptError, match="must name an object"):
            find_phrase("a cat", phrase)

    @given(st.text(max_size=30), st.text(max_size=6))
    def test_what_is_found_is_the_phrase(self, text, phrase):
        try:
            start, stop = find_phrase(text, phrase)
        except PromptError:
            return
        assert fold(text[start:stop]) == fold(phrase)


class TestFindPhrases:
    @pytest.mark.parametrize(
        ("text", "phrases", "starts"),
        [
            ("a star to the left of a star fruit", ["star", "star fruit"], [2, 24]),
            ("a star fruit left of a star", ["star", "star fruit"], [23, 2]),
            ("a star fruit above a table, the star fruit left of a star", ["star fruit", "star"], [2, 53]),
            ("a teddy bear below a bear", ["teddy bear", "bear"], [2, 21]),
            ("a bear below a teddy bear", ["bear", "teddy bear"], [2, 15]),
            ("a cat left of a cat", ["cat", "cat"], [2, 16]),
        ],
    )
    def test_longer_phrases_claim_first(self, text, phrases, starts):
        spans = find_phrases(text, phrases)
        assert [start for start, _ in spans] == starts
        assert [text[slice(*span)] for span in spans] == phrases

    def test_nth_counts_free_occurrences(self):
        text = "a star fruit, a star, a star"
        assert find_phrases(text, ["star", "star fruit"], nth={"Star": 1})[0] == (24, 28)

    def test_only_inside_another(self):
        with pytest.raises(PromptError, match=r"(?s)'bear' stands in the prompt only inside.*\^\^\^\^"):
            find_phrases("a teddy bear", ["teddy bear", "bear"])

    def test_nth_of_something_else(self):
        with pytest.raises(PromptError, match=r"`nth` must name phrases.*got dog"):
            find_phrases("a cat", ["cat"], nth={"dog": 0})

    def test_a_string_is_not_a_list(self):
        with pytest.raises(TypeError, match="`phrases`"):
            find_phrases("a cat", "cat")

    @given(st.lists(st.sampled_from(["star", "fruit", "star fruit", "a", "red star"]), min_size=1, max_size=4, unique=True), st.data())
    def test_spans_never_share_a_character(self, phrases, data):
        text = " ".join(data.draw(st.lists(st.sampled_from(["star", "fruit", "a", "red", "x"]), max_size=12)))
        try:
            spans = sorted(find_phrases(text, phrases))
        except PromptError:
            return
        assert all(left[1] <= right[0] for left, right in itertools.pairwise(spans))


class TestClip:
    def test_is_the_true_vocabulary(self, clip_tokenizer):
        assert len(clip_tokenizer) == 49408
        assert clip_tokenizer("a cat").input_ids == [49406, 320, 2368, 49407]

    @pytest.mark.parametrize(
        ("text", "phrases", "indices"),
        [
            ("a cat to the left of a dog", ["cat", "dog"], ((2,), (8,))),
            ("a surfboard above a dog", ["surfboard", "dog"], ((2, 3), (6,))),  # surf|board: the dog is not where words would say
            ("a fire hydrant on a dog", ["fire hydrant", "dog"], ((2, 3, 4), (7,))),  # fire hydr|ant
            ("a star to the left of a star fruit", ["star", "star fruit"], ((2,), (8, 9))),
            ("a teddy bear below a bear", ["teddy bear", "bear"], ((2, 3), (6,))),
            ("a cat, a dog", ["cat", "dog"], ((2,), (5,))),
            ("cats above a cat", ["cat"], ((4,),)),
            ("A CAT and a Dog", ["cat", "dog"], ((2,), (5,))),
            (f"a {NFC} above a dog", [NFD, "dog"], ((2,), (5,))),
            (f"a {NFD} above a dog", [NFC, "dog"], ((2,), (5,))),
            ("a 🐱 above a dog", ["🐱", "dog"], ((2,), (5,))),
            ("a teddy-bear above a dog", ["teddy-bear", "dog"], ((2, 3, 4), (7,))),
            ("Mr. Cat above a U.S. flag", ["Mr. Cat", "U.S. flag"], ((1, 3), (6, 8, 10))),
        ],
    )
    def test_positions(self, clip_tokenizer, text, phrases, indices):
        assert token_indices(clip_tokenizer, text, phrases) == indices

    def test_bytes_of_one_character_stay_together(self, clip_tokenizer):
        ids = clip_tokenizer("a 👧").input_ids
        assert token_indices(clip_tokenizer, "a 👧", ["👧"]) == (tuple(range(2, len(ids) - 1)),)
        assert len(ids) > 4

    @pytest.mark.parametrize(("fillers", "fits"), [(74, True), (75, False), (200, False)])
    def test_truncation(self, clip_tokenizer, fillers, fits):
        text = "a " * fillers + "cat"  # the cat is token 1 + fillers; 76 belongs to the end token
        assert (1 + fillers < 76) == fits
        assert clip_tokenizer(text, truncation=True, max_length=77).input_ids.count(2368) == fits
        if fits:
            assert token_indices(clip_tokenizer, text, ["cat"]) == ((75,),)
            return
        with pytest.raises(PromptError, match=rf"(?s)'cat' is cut off.*number {1 + fillers} .*below 76.*[Ss]horten"):
            token_indices(clip_tokenizer, text, ["cat"])

    def test_partly_cut(self, clip_tokenizer):
        with pytest.raises(PromptError, match="number 75 to 76"):
            token_indices(clip_tokenizer, "a " * 74 + "surfboard", ["surfboard"])

    def test_max_length_and_offset(self, clip_tokenizer):
        assert token_indices(clip_tokenizer, "a cat", ["cat"], max_length=4, offset=77) == ((79,),)
        with pytest.raises(PromptError, match="below 2"):
            token_indices(clip_tokenizer, "a cat", ["cat"], max_length=3)

    def test_nth(self, clip_tokenizer):
        assert token_indices(clip_tokenizer, "a cat, a cat", ["cat"], nth={"cat": 1}) == ((5,),)

    @settings(max_examples=40)
    @given(st.lists(st.sampled_from(WORDS), min_size=2, max_size=12, unique=True), st.data())
    def test_found_tokens_decode_to_the_phrase(self, clip_tokenizer, words, data):
        _check_decodes(clip_tokenizer, words, data)


class TestT5:
    def test_lone_blanks_are_dropped(self, t5_tokenizer):
        text = "a 🐱 above a dog"
        pieces = t5_tokenizer.convert_ids_to_tokens(t5_tokenizer(text).input_ids)
        assert "▁" in pieces  # else this test shows nothing
        (cat,), dog = token_indices(t5_tokenizer, text, ["🐱", "dog"])
        assert pieces[cat - 1 : cat + 1] == ["▁", "<unk>"]
        assert "".join(pieces[i] for i in dog) == "▁dog"

    @pytest.mark.parametrize("text", ["\x1f0a", "\x7fcat left of a dog", "a cat\x00 left of a dog"])
    def test_control_characters_are_refused(self, t5_tokenizer, clip_tokenizer, text):
        """T5's normalizer drops them, and every token after one at the start is then said to be a character earlier."""
        for tokenizer in (t5_tokenizer, clip_tokenizer):
            with pytest.raises(PromptError, match="must hold no control characters, got '.x..' at"):
                token_indices(tokenizer, text, [text[-2:].strip()])
        assert token_indices(t5_tokenizer, "a\tcat\n", ["cat"])

    def test_truncation_leaves_room_for_the_end(self, t5_tokenizer):
        total = len(t5_tokenizer("a cat").input_ids)
        assert token_indices(t5_tokenizer, "a cat", ["cat"], max_length=total)
        with pytest.raises(PromptError, match="cut off"):
            token_indices(t5_tokenizer, "a cat", ["cat"], max_length=total - 1)

    @settings(max_examples=40)
    @given(st.lists(st.sampled_from(WORDS), min_size=2, max_size=12, unique=True), st.data())
    def test_found_tokens_decode_to_the_phrase(self, t5_tokenizer, words, data):
        _check_decodes(t5_tokenizer, words, data)


def _check_decodes(tokenizer, words, data):
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first + 1, min(len(words), first + 3)))
    phrase = " ".join(words[first:last])
    text = data.draw(st.sampled_from([" ", "  ", ", "])).join([" ".join(words[:first]), phrase, " ".join(words[last:])])
    ((*found,),) = token_indices(tokenizer, text, [phrase], max_length=500)
    assert tokenizer.decode([tokenizer(text).input_ids[i] for i in found]).strip() == phrase


class _Slow:
    model_max_length = 77
    padding_side = "right"

    def __call__(self, text, **options):
        raise NotImplementedError("return_offset_mapping is not available when using Python tokenizers")


class TestRefusals:
    def test_no_limit_stated(self, clip_tokenizer):
        with pytest.raises(ValueError, match="`max_length` must be given"):
            token_indices(clip_tokenizer, "a cat", ["cat"], max_length=int(1e30))

    def test_slow_tokenizer(self):
        with pytest.raises(ValueError, match=r"`tokenizer` must give character offsets.*fast"):
            token_indices(_Slow(), "a cat", ["cat"])

    def test_left_padding(self, clip_tokenizer):
        with pytest.raises(ValueError, match="`padding_side` must be 'right'"):
            token_indices(clip_tokenizer, "a cat", ["cat"], padding_side="left")

    def test_object_not_in_prompt(self, clip_tokenizer):
        with pytest.raises(PromptError, match="'bird' does not occur"):
            token_indices(clip_tokenizer, "a cat", ["bird"])


class TestCheckTokenIndices:
    def test_returns_plain_tuples(self):
        assert check_token_indices([np.array([2, 3]), (76,)], ["a", "b"], 77) == ((2, 3), (76,))

    @pytest.mark.parametrize(
        ("indices", "error", "message"),
        [
            ([[1]], ValueError, "one list for each of the objects"),
            ([[1], [2], [3]], ValueError, "one list for each"),
            ([[1], []], ValueError, "'dog' must hold at least one"),
            ([[1], [77]], ValueError, r"must be < 77, got 77; was the prompt truncated\?"),
            ([[-1], [2]], ValueError, "'cat' must be 0 or more, got -1"),
            ([[1.0], [2]], TypeError, "list of integers"),
            ([[True], [2]], TypeError, "must be integers"),
            ([1, 2], TypeError, "list of integers"),
            ("12", ValueError, "one list for each"),
        ],
    )
    def test_refuses(self, indices, error, message):
        with pytest.raises(error, match=message):
            check_token_indices(indices, ["cat", "dog"], 77)


class TestUnderline:
    def test_counts_columns_as_a_terminal_does(self):
        assert underline("猫 near", 2, 6).splitlines()[1] == "     ^^^^"
        assert underline(f"{NFD} near", 6, 10).splitlines()[1] == "       ^^^^"

    def test_stays_on_one_line_and_marks_an_empty_span(self):
        assert underline("a\ncat", 2, 2) == "  a cat\n    ^"
