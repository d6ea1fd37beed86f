import math

from hypothesis import given
from hypothesis import strategies as st

from fersyn.datasets.layout import ends, named, natural


@given(st.integers(1, 200))
def test_ends_never_take_a_frame_twice(count):
    first, last = ends(count)
    assert first + last <= count and 0 <= first <= 3 and 1 <= last <= 3
    assert (first, last) == (3, 3) or first + last == count


def test_numbers_sort_as_numbers():
    assert sorted(["a10", "a9", "b", "a"], key=natural) == ["a", "a9", "a10", "b"]


def test_names_that_say_who_and_what(tmp_path):
    names = ["a/AF01ANS.JPG", "a/AF01NES.JPG", "a/AF01XXS.JPG", "a/readme.JPG", "a/BM02AN7.JPG"]
    files = [tmp_path / name for name in names]
    pattern = r"[AB](?P<subject>[FM]\d\d)(?P<code>[A-Z]{2})(?:S|(?P<frame>\d))"
    frames, strange = named(files, tmp_path, "kdef", pattern, {"AN": "anger", "NE": "neutral"}, publishable=False)
    told = [(frame.source, frame.subject, frame.expression, frame.frame) for frame in frames]
    assert told == [(names[0], "F01", "anger", 0), (names[1], "F01", "neutral", 0), (names[4], "M02", "anger", 7)]
    assert [math.isnan(frame.intensity) for frame in frames] == [True, False, True] and frames[1].intensity == 0
    assert strange == [names[2], names[3]] and not any(frame.publishable for frame in frames)
