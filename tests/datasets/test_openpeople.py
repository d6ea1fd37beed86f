import numpy as np
import pytest

from fersyn.datasets.openpeople import read_openpeople
from fersyn.errors import LayoutError


def test_ten_people_and_all_expressions_that_map():
    frame_set = read_openpeople()
    people = {frame.subject for frame in frame_set.frames}
    assert people == {f"P{i:03d}" for i in range(1, 11)}
    for person in people:
        found = [frame.expression for frame in frame_set.frames if frame.subject == person]
        assert found == ["neutral", "happiness", "sadness", "anger", "surprise", "disgust", "fear"]
    assert all(frame.publishable for frame in frame_set.frames)
    assert len({frame.source for frame in frame_set.frames}) == 70
    assert frame_set.licence == "MIT"


def test_tiles_hold_the_picture_without_frame_and_caption(people_frames):
    for frame in people_frames.frames:
        image = frame.picture().image
        height, width = image.shape[:2]
        assert 1.3 < width / height < 1.8 and 300 < height < 400
        assert np.median(image[3:-3, 2]) < 200 and np.median(image[2, 3:-3]) < 200  # no white line at the edge


def test_intensity_is_known_for_neutral_only(people_frames):
    for frame in people_frames.frames:
        assert frame.intensity == 0 if frame.expression == "neutral" else np.isnan(frame.intensity)


def test_another_copy_of_the_package_is_read(tmp_path):
    from fersyn.datasets.openpeople import _installed

    (tmp_path / "data" / "curated").mkdir(parents=True)
    (tmp_path / "data" / "curated" / "P003").symlink_to(_installed() / "P003")
    assert {frame.subject for frame in read_openpeople(tmp_path).frames} == {"P003"}


def test_a_wrong_folder_is_told_what_was_expected(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(
        LayoutError, match="no folder data/curated .* found photos; expected is P001/assets/emotions_sheet.jpg"
    ):
        read_openpeople(tmp_path)
    with pytest.raises(LayoutError, match="does not exist; openpeople is read from a folder that holds P001/assets"):
        read_openpeople(tmp_path / "none")


def test_a_sheet_without_frames_is_refused(save, tmp_path):
    save(np.full((300, 400, 3), 90, np.uint8), tmp_path / "P001" / "assets" / "emotions_sheet.jpg")
    with pytest.raises(LayoutError, match="P001/assets/emotions_sheet.jpg: found 0 x 0 framed tiles, expected 4 x 4"):
        read_openpeople(tmp_path)
    (tmp_path / "P001" / "assets" / "emotions_sheet.jpg").write_bytes(b"")
    with pytest.raises(LayoutError, match="P001/assets/emotions_sheet.jpg: the file is empty"):
        read_openpeople(tmp_path)
