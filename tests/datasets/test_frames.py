import pickle
from dataclasses import replace

import numpy as np
import pytest

from fersyn.datasets.frames import PhotoFrame
from fersyn.errors import UnreadablePhoto


@pytest.fixture
def frame(portrait, save, tmp_path):
    path = save(portrait, tmp_path / "a.png")
    return PhotoFrame("set", "a.png", "S1", "", 0, "neutral", 0.0, False, path)


def test_a_tile_is_cut_out(frame, portrait):
    assert (frame.picture().image == portrait).all() and frame.picture().truth == {}
    assert (replace(frame, tile=(10, 20, 60, 90)).picture().image == portrait[20:90, 10:60]).all()
    with pytest.raises(UnreadablePhoto, match="a.png: the tile .* lies outside the picture"):
        replace(frame, tile=(5000, 0, 5010, 10)).picture()


def test_a_sheet_that_changed_is_read_anew(frame, portrait, save):
    tile = replace(frame, tile=(0, 0, 20, 20))
    tile.picture()
    save(np.zeros_like(portrait), frame.path)
    assert (tile.picture().image == 0).all()


def test_the_stamp_follows_file_and_tile(frame, portrait, save):
    before = frame.stamp()
    assert before == frame.stamp() != replace(frame, tile=(0, 0, 9, 9)).stamp()
    save(portrait[:-1], frame.path)
    assert frame.stamp() != before
    frame.path.unlink()
    assert frame.stamp() == "missing"


def test_frames_go_to_workers(frame):
    assert pickle.loads(pickle.dumps(frame)) == frame
