"""Case 11: GenEval's `metadata.jsonl` says which prompt a folder of images belongs to, as for its own evaluator."""

import json

import pytest
from PIL import Image

from infsplign.detection import Detection
from infsplign.evaluation.prompts import read_geneval
from infsplign.evaluation.scoring.benchmarks import BENCHMARKS
from infsplign.evaluation.scoring.image_files import find_images, group_by_prompt
from infsplign.evaluation.scoring.metadata import prompts_of_folders
from infsplign.evaluation.scoring.score_images import score_images

PLACES = {"left of": (10, 90), "right of": (90, 10)}


def row(first, relation, second, **more):
    include = [{"class": second, "count": 1}, {"class": first, "count": 1, "position": [relation, 0]}]
    return {"tag": "position", "include": include, "prompt": f"a photo of a {first} {relation} a {second}"} | more


ROWS = [row("cat", "left of", "dog"), row("cat", "right of", "dog"), row("cow", "left of", "dog")]


@pytest.fixture
def prompts(tmp_path):
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(found) + "\n" for found in ROWS))
    return read_geneval(tmp_path / "prompts.jsonl")


def images(folder, told):
    """Folders of one image each, with what their metadata says."""
    for number, metadata in told.items():
        (folder / f"{number:05d}" / "samples").mkdir(parents=True)
        Image.new("RGB", (100, 100), (number, 0, 0)).save(folder / f"{number:05d}" / "samples" / "0000.png")
        if metadata is not None:
            (folder / f"{number:05d}" / "metadata.jsonl").write_text(metadata if isinstance(metadata, str) else json.dumps(metadata))
    return folder


class Perfect:
    """Finds in the image of each folder what its metadata asks for; the colour tells the folder."""

    def __init__(self, told):
        self.told = told

    def settings(self):
        return {"name": "perfect", "threshold": 0.3}

    def detect(self, pictures, names):
        found = []
        for picture in pictures:
            second, first = self.told[picture.getpixel((0, 0))[0]]["include"]
            x, y = PLACES[first["position"][0]]
            found.append([Detection(n, 0.9, (at - 5, 45, at + 5, 55)) for n, at in ((first["class"], x), (second["class"], y))])
        return found


def scored(prompts, folder, told):
    result = score_images("geneval", prompts, folder, Perfect(told), threshold=BENCHMARKS["geneval"].threshold, progress=False)
    ratios = BENCHMARKS["geneval"].ratios(result.verdicts)
    return result, dict(zip(ratios.names, ratios.values().tolist(), strict=True))["position"]


def test_case_11_other_numbers_than_the_file_of_prompts(prompts, tmp_path):
    """Perfect images in folders of another order: the numbers alone would score them 0."""
    told = {0: ROWS[1], 1: ROWS[0], 7: ROWS[2]}
    result, position = scored(prompts, images(tmp_path / "made", told), told)
    assert result.groups == {
        "geneval-00000": ["00001/samples/0000"], "geneval-00001": ["00000/samples/0000"], "geneval-00002": ["00007/samples/0000"],
    }  # fmt: skip
    assert position == 1


def test_without_metadata_the_numbers_count(prompts, tmp_path):
    result, position = scored(prompts, images(tmp_path / "made", dict.fromkeys(range(3))), dict(enumerate(ROWS)))
    assert list(result.groups) == [prompt.id for prompt in prompts]
    assert position == 1


def test_other_tasks_and_other_prompts_are_left_out(prompts, tmp_path):
    other = {"tag": "counting", "include": [{"class": "cat", "count": 3}], "prompt": "a photo of three cats"}
    files = find_images(images(tmp_path / "made", {0: other, 5: row("tie", "above", "cup"), 1: ROWS[1]}))
    assert prompts_of_folders(files, prompts) == {0: None, 1: "geneval-00001", 5: None}
    assert group_by_prompt(files, prompts, prompts_of_folders(files, prompts)) == {"geneval-00001": ["00001/samples/0000"]}


def test_a_text_of_other_words_for_the_same_objects_is_the_same_prompt(prompts, tmp_path):
    files = find_images(images(tmp_path / "made", {2: ROWS[0] | {"prompt": "a cat sits left of a dog, 4k"}}))
    assert prompts_of_folders(files, prompts) == {2: "geneval-00000"}


@pytest.mark.parametrize(
    ("number", "metadata", "message"),
    [
        (0, row("tie", "above", "cup"), 'contradicts .*"tie above cup", and prompt \'geneval-00000\' for "cat left of dog"'),
        (9, row("tie", "above", "cup", prompt=ROWS[0]["prompt"]), "contradicts the file of prompts"),
        (0, "{", "00000/metadata.jsonl' is no metadata of GenEval"),
        (0, "[]", "expected an object, got list"),
        (0, {"tag": "position"}, "expected `prompt` to be a text"),
    ],
)
def test_contradictions_are_refused(number, metadata, message, prompts, tmp_path):
    files = find_images(images(tmp_path / "made", {number: metadata}))
    with pytest.raises(ValueError, match=message):
        prompts_of_folders(files, prompts)


def test_prompts_that_ask_for_the_same_keep_their_folders(tmp_path):
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(found) + "\n" for found in (ROWS[0], ROWS[0])))
    files = find_images(images(tmp_path / "images", {0: ROWS[0], 1: ROWS[0]}))
    assert prompts_of_folders(files, read_geneval(tmp_path / "prompts.jsonl")) == {0: "geneval-00000", 1: "geneval-00001"}
