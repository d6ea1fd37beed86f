from hypothesis import given
from hypothesis import strategies as st

from fersyn.datasets.layout import ends, natural


@given(st.integers(1, 200))
def test_ends_never_take_a_frame_twice(count):
    first, last = ends(count)
    assert first + last <= count and 0 <= first <= 3 and 1 <= last <= 3
    assert (first, last) == (3, 3) or first + last == count


def test_numbers_sort_as_numbers():
    assert sorted(["a10", "a9", "b", "a"], key=natural) == ["a", "a9", "a10", "b"]
