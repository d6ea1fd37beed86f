import os
import sys

import numpy as np
import pytest

from fersyn.evaluation.verifiers.dlib_face import Descriptors, DlibFace


@pytest.fixture(scope="module")
def faces(small_table):
    return small_table.images([0, 1, 7]), small_table.landmarks([0, 1, 7])


def test_the_other_process_finds_the_same(faces):
    found = Descriptors(*faces, worth=1)
    folder = found._folder.name
    assert found._process is not None
    here = Descriptors(*faces)
    assert here._process is None, "three pictures are not worth a process"
    assert np.array_equal(found.result(), here.result())
    assert np.array_equal(here.result(), DlibFace().embed(*faces))
    assert not os.path.exists(folder), "nothing is left behind"


def test_a_process_that_is_ended_is_made_up_for(faces):
    found = Descriptors(*faces, worth=1)
    found._process.kill()
    assert np.array_equal(found.result(), DlibFace().embed(*faces))


def test_it_works_where_no_process_may_be_had(faces, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    found = Descriptors(*faces, worth=1)
    assert found._process is None and found.result().shape == (3, 128)
