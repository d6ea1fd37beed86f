import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from fersyn.files import locked, write_arrays, write_atomic, write_json

HOLD = "import sys, time, pathlib; from fersyn.files import locked\nwith locked(pathlib.Path(sys.argv[1])): print(1, flush=True); time.sleep(60)"


def test_a_lock_keeps_others_out_until_its_process_dies(tmp_path):
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"1\n"
        with pytest.raises(BlockingIOError), locked(path):
            pass
        os.kill(other.pid, signal.SIGKILL)
        began = time.monotonic()
        with locked(path, wait=True):
            assert time.monotonic() - began < 10
    with locked(path):
        pass


def test_a_lock_that_cannot_be_made_is_named(tmp_path):
    with pytest.raises(FileNotFoundError), locked(tmp_path / "no" / "lock"):
        pass


def test_json_and_arrays_come_in_one_step(tmp_path):
    write_json(tmp_path / "new" / "a.json", {"é": [1, float("inf")]})
    assert json.loads((tmp_path / "new" / "a.json").read_text(encoding="utf-8")) == {"é": [1, float("inf")]}
    with pytest.raises(ValueError):
        write_json(tmp_path / "new" / "a.json", float("nan"), nan=False)
    write_arrays(tmp_path / "a.npz", {"x": np.arange(3)})
    with np.load(tmp_path / "a.npz") as data:
        assert data["x"].tolist() == [0, 1, 2]
    with pytest.raises(AttributeError):
        write_atomic(tmp_path / "a.npz", lambda path: path.write_bytes(b"half").no)
    assert (
        sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "new"] and (tmp_path / "a.npz").stat().st_size > 4
    )
