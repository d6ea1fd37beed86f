import pytest

from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS, index, parse


def test_the_labels_are_those_of_ckplus():
    assert EXPRESSIONS == ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
    assert [index(name) for name in EXPRESSIONS] == list(range(8))


@pytest.mark.parametrize(
    "name, expression",
    [
        ("Angry", "anger"),
        ("scared", "fear"),
        (" HAPPY ", "happiness"),
        ("04_sad", "sadness"),
        ("Surprised", "surprise"),
    ],
)
def test_synonyms(name, expression):
    assert parse(name) == expression


@pytest.mark.parametrize("name", ["shocked", "smug", "", "7", "hapy"])
def test_other_words_are_refused_with_the_list(name):
    with pytest.raises(FersynError, match=f"'{name}' is no expression; use one of: neutral, anger"):
        parse(name)
