"""Sets that say who and what in their names: small trees as they are distributed, their pictures of openpeople."""

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from fersyn import cli
from fersyn.building.preprocess import build_table
from fersyn.datasets.fer2013 import read_fer2013
from fersyn.datasets.folder import read_folder
from fersyn.datasets.mmi import read_mmi
from fersyn.datasets.named import SETS, read_named
from fersyn.errors import FersynError, LayoutError

READ = [name for name, about in SETS.items() if "layout" in about]
TREES = {
    "kdef": {
        "KDEF/AF01/AF01ANS.JPG": ("F01", "A", "anger"),
        "KDEF/AF01/AF01NES.JPG": ("F01", "A", "neutral"),
        "KDEF/BM02/BM02AFS.JPG": ("M02", "B", "fear"),
    },
    "jaffe": {
        "KA.AN1.39.tiff": ("KA", "", "anger"),
        "KA.NE2.27.tiff": ("KA", "", "neutral"),
        "YM.SU3.60.tiff": ("YM", "", "surprise"),
    },
    "rafd": {
        "Rafd090_01_Caucasian_female_angry_frontal.jpg": ("01", "frontal", "anger"),
        "Rafd090_01_Caucasian_female_contemptuous_left.jpg": ("01", "left", "contempt"),
        "Rafd090_72_Moroccan_male_neutral_frontal.jpg": ("72", "frontal", "neutral"),
    },
    "tfeid": {
        "dfh_all/dfh_anger_x/f01_a.jpg": ("f01", "", "anger"),
        "dfh_all/dfh_disguest_x/f01_b.jpg": ("f01", "", "disgust"),
        "dfs_neutral/m12_c.jpg": ("m12", "", "neutral"),
    },
    "raf-db": {
        "basic/Image/aligned/train_00001_aligned.jpg": (None, "", "sadness"),
        "basic/Image/aligned/train_00002_aligned.jpg": (None, "", "neutral"),
        "basic/Image/aligned/test_0001_aligned.jpg": (None, "", "surprise"),
    },
    "affectnet": {
        "train_class/0/a.jpg": (None, "", "neutral"),
        "train_class/7/b.jpg": (None, "", "contempt"),
        "val_class/5/a.jpg": (None, "", "disgust"),
    },
}
SIDES = {"raf-db": ["test", "train", "train"], "affectnet": ["test", "train", "train"]}


@pytest.fixture
def tree(portraits, save, tmp_path):
    """Writes a set's pictures below a folder."""

    def write(name, names=None):
        for k, file in enumerate(names or TREES[name]):
            save(portraits[f"P00{k % 3 + 1}", "neutral"], tmp_path / name / file)
        if name == "raf-db":
            labels = "train_00001.jpg 5\ntrain_00002.jpg 7\ntest_0001.jpg 1\n"
            (tmp_path / name / "basic/EmoLabel").mkdir(parents=True, exist_ok=True)
            (tmp_path / name / "basic/EmoLabel/list_patition_label.txt").write_text(labels)
        return tmp_path / name

    return write


@pytest.mark.parametrize("name", READ)
def test_names_say_who_and_what(tree, name):
    found = read_named(name, tree(name))
    told = {frame.source: (frame.subject, frame.sequence, frame.expression) for frame in found.frames}
    assert told == {file: (who or file, *rest) for file, (who, *rest) in TREES[name].items()}
    assert not any(frame.publishable for frame in found.frames) and found.licence and found.attribution
    assert all(frame.publishable for frame in read_named(name, tree(name, ["x.jpg"]), publishable=True).frames)
    assert sorted(found.sides.values()) == SIDES.get(name, [])
    assert ("name no person" in str(found.notes)) == (name in SIDES)


@pytest.mark.parametrize("name", READ)
def test_a_table_by_the_command(tree, name):
    given = ["data", name, str(tree(name)), "--out", str(tree(name) / "table"), "--workers", "0"]
    done = CliRunner().invoke(cli.app, given)
    assert done.exit_code == 0 and "3 faces" in done.output, done.output
    wrong = CliRunner().invoke(cli.app, ["data", name, str(tree("empty", ["a.jpg"])), "--out", "t"])
    assert wrong.exit_code == 2 and "named as in the set" in wrong.output


def test_the_sets_own_split_is_the_tables(tree, tmp_path):
    table = build_table(read_named("affectnet", tree("affectnet")), tmp_path / "t", workers=0)
    sides = dict(zip(table.rows["source"], table.rows["split"], strict=True))
    assert sides == {"train_class/0/a.jpg": "train", "train_class/7/b.jpg": "train", "val_class/5/a.jpg": "test"}
    assert len(build_table(read_named("affectnet", tree("affectnet")), tmp_path / "t", workers=0)) == 3


def test_other_views_are_left_out_unless_asked_for(tree):
    root = tree("kdef", ["AF01/AF01ANS.JPG", "AF01/AF01ANHL.JPG", "AF01/AF01ANFR.JPG", "AF01/notes.JPG"])
    found = read_named("kdef", root)
    assert [frame.source for frame in found.frames] == ["AF01/AF01ANS.JPG"]
    assert found.notes[0] == "2 pictures of other views were left out (option --views)."
    assert "1 pictures are not named as in the set and were left out: AF01/notes.JPG" in found.notes[1]
    assert len(read_named("kdef", root, "HL,S").frames) == 2
    with pytest.raises(LayoutError, match="views FR, HL, S; kdef is read from"):
        read_named("kdef", root, "XX")


def test_a_line_of_the_list_that_says_nothing(tree):
    root = tree("raf-db")
    next(root.rglob("list*")).write_text("train_00001.jpg 5\ntrain_00002.jpg 9\n")
    with pytest.raises(FersynError, match="list_patition_label.txt, line 2: .* is no picture with its label"):
        read_named("raf-db", root)


def test_ckplus48_in_folders_of_expressions(tree):
    names = [f"{word}/S0{10 + k}_001_0000001{k}.png" for k in range(2) for word in ("anger", "neutral")]
    found = read_folder(tree("ck", names))
    assert sorted({frame.subject for frame in found.frames}) == ["S010", "S011"]
    told = "2 people, by the file names, as in CK+ in 48 px (and CK+ itself): S010 of S010_001_00000010.png"
    assert told in found.notes[0]
    other = read_folder(tree("ck", ["anger/other.png"]))
    assert len({frame.subject for frame in other.frames}) == 5 and "name no person" in other.notes[0]


@pytest.mark.parametrize("name", ["kdef", "jaffe", "rafd"])
def test_people_of_known_names_in_folders_of_expressions(tree, name):
    files = [f"anger/{file.rpartition('/')[2]}" for file in TREES[name]]
    assert len({frame.subject for frame in read_folder(tree(name, files)).frames}) == 2


def test_folders_that_are_numbers(tree):
    root = tree("numbers", ["0/a.jpg", "1/b.jpg"])
    with pytest.raises(LayoutError, match="others by --labels 0=neutral,1=happiness"):
        read_folder(root)
    assert [frame.expression for frame in read_folder(root, labels="0=neutral,1=happy").frames] == [
        "neutral",
        "happiness",
    ]
    with pytest.raises(FersynError, match="--labels: '0' says nothing"):
        read_folder(root, labels="0")
    assert len(read_folder(root, labels="0=unlabelled,1=sad").frames) == 2


# FER2013: numbers in a table.


@pytest.fixture
def csv(portraits, tmp_path):
    lines = ["emotion,more,pixels,Usage"]
    for k, usage in enumerate(("Training", "Training", "PublicTest", "PrivateTest")):
        face = portraits[f"P00{k + 1}", "neutral"]
        height, width = face.shape[:2]
        side = min(height, width)
        square = cv2.cvtColor(face[(height - side) // 4 :][:side, :side], cv2.COLOR_RGB2GRAY)
        small = cv2.resize(square, (48, 48), interpolation=cv2.INTER_AREA)
        lines.append(f'{k * 2},x,"{" ".join(map(str, small.ravel()))}",{usage}')
    lines.append("3,x,1 2 3,Training")
    (tmp_path / "fer2013.csv").write_text("\n".join(lines))
    return tmp_path / "fer2013.csv"


def test_fer2013(csv, tmp_path):
    found = read_fer2013(csv)
    assert [frame.expression for frame in found.frames] == ["anger", "fear", "sadness", "neutral", "happiness"]
    picture = found.frames[0].picture().image
    assert picture.shape == (192, 192, 3) and np.ptp(picture.astype(int), 2).max() == 0
    row = csv.read_text().splitlines()[1].split('"')[1].split()
    assert abs(picture[::4, ::4, 0].astype(int).ravel() - np.array(row, int)).mean() < 8
    whole = build_table(read_fer2013(tmp_path, cropped=True), tmp_path / "whole", workers=0)
    assert len(whole) == 4 and "has 3 numbers that make no square" in whole.skipped["reason"][0]
    assert list(whole.rows["split"]) == ["train", "train", "test", "test"]
    looked = build_table(found, tmp_path / "looked", workers=0)
    assert 2 <= len(looked) <= 4
    csv.write_text("emotion,pixels\n9,1 2")
    with pytest.raises(FersynError, match="row 1: emotion must be 0 to 6, not '9'"):
        read_fer2013(csv)
    csv.write_text("a,b\n")
    with pytest.raises(LayoutError, match="found the columns a, b; fer2013 is read from"):
        read_fer2013(csv)


# MMI: films.


@pytest.fixture
def films(portraits, tmp_path):
    for session, (film, code, length) in enumerate((("S001-001", 4, 21), ("S002-003", 9, 21), ("S002-004", 1, 5)), 1):
        folder = tmp_path / "Sessions" / str(session)
        folder.mkdir(parents=True)
        height, width = portraits["P001", "neutral"].shape[:2]
        out = cv2.VideoWriter(str(folder / f"{film}.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 25, (width, height))
        for k in range(length):
            shown = "happiness" if 8 <= k <= 12 else "neutral"
            out.write(cv2.resize(portraits["P001", shown], (width, height))[..., ::-1].copy())
        out.release()
        (folder / f"{film}.xml").write_text(f'<Metadata><Metatag Name="Emotion" Value="{code}"/></Metadata>')
    return tmp_path


def test_mmi(films, portraits):
    found = read_mmi(films)
    told = [(frame.source, frame.subject, frame.sequence, frame.expression) for frame in found.frames]
    assert told[0] == ("Sessions/1/S001-001/0000", "S001", "001", "neutral") and len(told) == 6
    assert told[3] == ("Sessions/1/S001-001/0009", "S001", "001", "happiness")
    for frame in (found.frames[0], found.frames[4]):
        image = frame.picture().image
        away = {
            shown: abs(image.astype(int) - cv2.resize(portraits["P001", shown], image.shape[1::-1])).mean()
            for shown in ("neutral", "happiness")
        }
        assert min(away, key=away.get) == frame.expression and away[frame.expression] < 8
    assert sorted(found.notes) == [
        "1 film shorter than nine pictures or damaged was left out.",
        "1 film without a label of the six was left out.",
    ]
    with pytest.raises(LayoutError, match="no film with a label of the six"):
        read_mmi(films / "Sessions/2")
