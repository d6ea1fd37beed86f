import subprocess
import threading
import time

import numpy as np
import pytest

from fersyn.errors import FersynError
from fersyn.rendering import rig


def test_of_two_that_want_the_rig_at_once_one_builds_it(tmp_path, monkeypatch):
    rig.load_rig()
    with np.load(rig._path()) as data:
        arrays = dict(data)
    builds = []

    def build():
        builds.append(1)
        time.sleep(0.2)
        return arrays

    monkeypatch.setenv("FERSYN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(rig, "_build", build)
    threads = [threading.Thread(target=rig.load_rig.__wrapped__) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert builds == [1]
    np.testing.assert_array_equal(rig.load_rig.__wrapped__().template, rig.load_rig().template)


def test_numbers_are_whole_steps_of_ten_micrometres():
    own = rig.load_rig()
    for values in (own.template, own.actions, own.changes):
        steps = values.astype(float) * 100
        assert np.abs(steps - np.round(steps)).max() < 1e-2


def test_a_rig_that_cannot_be_built_is_an_error_for_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("FERSYN_CACHE", str(tmp_path))
    asked = []

    def fail(command, env):
        asked.append(env["PYTHONPATH"])
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(rig.subprocess, "run", fail)
    with pytest.raises(FersynError, match="the head rig could not be built in"):
        rig.prepare_rig()
    assert len(asked) == 1
    rig._path().write_bytes(b"")  # one that is there is not built again
    rig.prepare_rig()
    assert len(asked) == 1
