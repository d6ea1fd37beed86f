import os
import signal
import subprocess
import sys
import time

import pytest

from fersyn.files import locked

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
