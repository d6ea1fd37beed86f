import os
import sys

import numpy as np
import pytest
import torch

from fersyn.evaluation.verifiers.dlib_face import Descriptors, DlibFace


@pytest.fixture(scope="module")
def faces(small_table):
    return small_table.images([0, 1, 7]), small_table.landmarks([0, 1, 7])


@pytest.mark.parametrize(("threads", "processes"), [(1, 1), (2, 1), (3, 2), (16, 3)])
def test_other_processes_find_the_same(faces, threads, processes, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    found = Descriptors(*faces, worth=1)
    folder = found._folder.name
    assert len(found._processes) == processes, "one thread is left to torch, and each process has work"
    here = Descriptors(*faces)
    assert not here._processes, "three pictures are not worth a process"
    assert np.array_equal(found.result(), here.result())
    assert np.array_equal(here.result(), DlibFace().embed(*faces))
    assert not os.path.exists(folder), "nothing is left behind"


def test_a_process_that_is_ended_is_made_up_for(faces, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    found = Descriptors(*faces, worth=1)
    found._processes[0].kill()
    assert np.array_equal(found.result(), DlibFace().embed(*faces))


def test_it_works_where_no_process_may_be_had(faces, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    found = Descriptors(*faces, worth=1)
    assert not found._processes and found.result().shape == (3, 128)
