"""Which image belongs to which prompt."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from infsplign.evaluation.prompts import BenchmarkPrompt
from infsplign.evaluation.scoring.image_files import evenly, find_images, group_by_prompt

PROMPTS = [
    BenchmarkPrompt("7", "a cat near a dog", "cat", "near", "dog", {"number": 0}),
    BenchmarkPrompt("17", "a cat near a cow_1", "cat", "near", "cow", {"number": 12}),
    BenchmarkPrompt("tune-0001_x", "a dog near a cow", "dog", "near", "cow"),
]


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


class TestFind:
    def test_images_alone_sorted(self, tmp_path):
        touch(tmp_path, "7_01.png", "7_00.JPG", "a b_000000.jpeg", "notes.txt", "00000/samples/0000.png", "00000/grid.png", "x/7_00.png")
        (tmp_path / "folder.png").mkdir()
        assert list(find_images(tmp_path)) == ["00000/samples/0000", "7_00", "7_01", "a b_000000"]

    def test_a_dot_in_the_name_is_no_ending(self, tmp_path):
        touch(tmp_path, "v1.5_00.png")
        assert list(find_images(tmp_path)) == ["v1.5_00"]

    def test_errors(self, tmp_path):
        with pytest.raises(NotADirectoryError, match="nothing"):
            find_images(tmp_path / "nothing")
        touch(tmp_path, "7_00.png", "7_00.jpg")
        with pytest.raises(ValueError, match="differ in their ending alone"):
            find_images(tmp_path)


class TestGroup:
    def test_the_three_ways_to_name_an_image(self):
        keys = ["7_00", "a cat near a cow_1_000003", "00000/samples/0005", "00012/samples/0001", "tune-0001_x_02"]
        assert group_by_prompt(keys, PROMPTS) == {
            "7": ["7_00", "00000/samples/0005"],
            "17": ["00012/samples/0001", "a cat near a cow_1_000003"],
            "tune-0001_x": ["tune-0001_x_02"],
        }

    @pytest.mark.parametrize("key", ["7", "7_", "7_x", "07_00", "8_00", "a cat_000000", "00001/samples/0000", "7_00/x", "sheet"])
    def test_others_are_left_out(self, key):
        assert group_by_prompt([key], PROMPTS) == {}

    def test_numbers_not_letters_order(self):
        assert group_by_prompt(["7_10", "7_9", "7_2"], PROMPTS) == {"7": ["7_2", "7_9", "7_10"]}

    def test_case_37_prompts_of_one_text_share_its_images(self):
        twice = [replace(PROMPTS[0], id="a"), PROMPTS[2], replace(PROMPTS[0], id="b")]
        keys = [f"a cat near a dog_{number:06d}" for number in (17, 3, 11, 4)]
        shared = {"a": ["a cat near a dog_000003", "a cat near a dog_000004"], "b": ["a cat near a dog_000011", "a cat near a dog_000017"]}
        assert group_by_prompt(keys, twice) == shared
        more = {"b": [*shared["b"], "b_99"], "tune-0001_x": ["tune-0001_x_0"]}
        assert group_by_prompt([*keys, "b_99", "tune-0001_x_0"], twice) == shared | more

    def test_the_same_number_twice_is_refused(self):
        with pytest.raises(ValueError, match="'7_0' and '7_00' are both image 0 of the prompt '7'"):
            group_by_prompt(["7_0", "7_00"], PROMPTS)

    @given(st.dictionaries(st.sampled_from(["7", "17", "tune-0001_x"]), st.sets(st.integers(0, 99), min_size=1), min_size=1), st.randoms())
    def test_names_of_the_runner_are_found_in_any_order(self, numbers, random):
        keys = [f"{owner}_{number:02d}" for owner, found in numbers.items() for number in found]
        random.shuffle(keys)
        assert group_by_prompt(keys, PROMPTS) == {owner: [f"{owner}_{n:02d}" for n in sorted(found)] for owner, found in numbers.items()}


class TestEvenly:
    def test_all_of_equally_many(self):
        groups = {"7": ["a", "b"], "17": ["c", "d"]}
        assert evenly(groups) == groups
        assert evenly(groups, 1) == {"7": ["a"], "17": ["c"]}

    def test_fewer_than_others(self):
        with pytest.raises(ValueError, match=r"1 of 2 prompts have fewer than 2 images: 17 \(1\); .*`--count 1`"):
            evenly({"7": ["a", "b"], "17": ["c"]})
        assert evenly({"7": ["a", "b"], "17": ["c"]}, 1) == {"7": ["a"], "17": ["c"]}

    def test_fewer_than_asked_for(self):
        with pytest.raises(ValueError, match="2 of 2 prompts have fewer than 3 images"):
            evenly({"7": ["a", "b"], "17": ["c", "d"]}, 3)

    def test_none(self):
        with pytest.raises(ValueError, match="no image belongs to a prompt"):
            evenly({})


def test_images_are_not_opened(tmp_path):
    """Names alone decide: a hundred thousand images must not be read to be counted."""
    Image.new("RGB", (2, 2)).save(tmp_path / "7_00.png")
    touch(tmp_path, "7_01.png")
    assert len(find_images(tmp_path)) == 2
