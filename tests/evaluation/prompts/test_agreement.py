"""A row whose prompt asks for another direction would be measured by what it was not guided by."""

import pytest

from infsplign.evaluation.prompts.agreement import check_agreement
from infsplign.evaluation.prompts.sr2d import sr2d


@pytest.mark.parametrize(
    "row",
    [
        ("a cat to the left of a dog", "cat", "to the left of", "dog"),
        ("a cat to the left of a dog", "dog", "right of", "cat"),  # the other way round is the same
        ("A Cat left of a Dog", "cat", "on the left of", "dog"),
        ("a cat on top of a dog", "cat", "above", "dog"),
        ("a cat and a dog", "cat", "above", "dog"),  # asks for nothing
        ("a kitten left of a dog", "cat", "right of", "dog"),  # other words: not to be told
        ("a cat left of a dog above a bird", "cat", "above", "dog"),
        ("a cat left of a dog", "cat", "and", "dog"),
        ("a cat left of a dog", None, None, None),
        ("a catfish left of a dog", "cat", "right of", "dog"),
        ("a hot dog left of a dog", "hot dog", "left of", "dog"),
        ("a red cat left of a dog", "dog", "right of", "cat"),
    ],
)
def test_what_agrees_or_cannot_be_told(row):
    check_agreement(*row)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("a cat to the left of a dog", "cat", "above", "dog"), "'cat left of dog', and the row for 'cat above dog'"),
        (("a cat to the left of a dog", "dog", "to the left of", "cat"), "'cat left of dog', and the row for 'dog left of cat'"),
        (("a cat below a dog", "dog", "below", "cat"), "'cat below dog', and the row for 'dog below cat'"),
        (("a red cat below two dogs", "cat", "above", "dog"), "'red cat below dogs', and the row for 'cat above dog'"),
        (("a hot dog left of a dog", "dog", "left of", "hot dog"), "'hot dog left of dog', and the row for 'dog left of hot dog'"),
    ],
)
def test_what_does_not(row, said):
    with pytest.raises(ValueError, match=said):
        check_agreement(*row)


def test_sr2d_agrees():
    for prompt in sr2d()[::97]:
        check_agreement(prompt.text, prompt.first, prompt.extra["rel_type"], prompt.second)
