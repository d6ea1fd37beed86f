import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from fersyn.cli import app
from fersyn.table import FaceTable


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_help_lists_the_sets():
    result = run("data", "--help")
    assert result.exit_code == 0
    for name in ("rendered", "ckplus", "oulu-casia", "london", "openpeople", "folder"):
        assert name in result.output


def test_a_folder_of_photographs_becomes_a_table(portraits, save, tmp_path):
    for (person, expression), image in portraits.items():
        if person in ("P001", "P003"):
            save(image, tmp_path / "p" / person / expression / "1.png")
    result = run(
        "data", "folder", tmp_path / "p", "--out", tmp_path / "t", "--workers", 0, "--size", 96, "--publishable"
    )
    assert result.exit_code == 0, result.output
    table = FaceTable.open(tmp_path / "t")
    assert len(table) == 14 and table.size == 96 and table.rows["publishable"].all()
    assert f"14 faces\t{table.fingerprint}" in result.output


def test_ckplus_options_reach_the_reader(portrait, save, tmp_path):
    for subject in ("S001", "S002"):
        for i in range(2):
            save(portrait, tmp_path / f"c/cohn-kanade-images/{subject}/001/{subject}_001_{i:08d}.png")
    emotion = tmp_path / "c/Emotion/S001/001"
    emotion.mkdir(parents=True)
    (emotion / "S001_001_00000001_emotion.txt").write_text("   5.0000000e+00")
    (tmp_path / "agreed.txt").write_text("S001\n")
    common = ["data", "ckplus", tmp_path / "c", "--workers", 0, "--out"]
    assert run(*common, tmp_path / "t", "--consent", tmp_path / "agreed.txt").exit_code == 0
    table = FaceTable.open(tmp_path / "t")
    assert len(table) == 4 and set(table.rows["subject"][table.rows["publishable"]]) == {"S001"}
    assert run(*common, tmp_path / "u", "--labelled-only").exit_code == 0
    assert len(FaceTable.open(tmp_path / "u")) == 2


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["ckplus", "nowhere"], "nowhere does not exist; ckplus is read from a folder that holds cohn-kanade-images/"),
        (
            ["oulu-casia", "nowhere"],
            "nowhere does not exist; oulu-casia is read from a folder that holds B_OriginalImg/",
        ),
        (["london", "nowhere"], "nowhere does not exist; london is read from a folder that holds neutral_front/"),
        (
            ["openpeople", "--root", "nowhere"],
            "nowhere does not exist; openpeople is read from a folder that holds P001/",
        ),
        (["folder", "nowhere"], "nowhere does not exist; folder is read from a folder that holds expression/"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(arguments, message, tmp_path):
    result = run("data", *arguments, "--out", tmp_path / "t")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"fersyn: {message}") and "Traceback" not in result.output
    assert not (tmp_path / "t").exists()


def test_no_usable_face_on_the_command_line(save, tmp_path):
    save(np.zeros((50, 50, 3), np.uint8), tmp_path / "p" / "sad" / "1.png")
    result = run("data", "folder", tmp_path / "p", "--out", tmp_path / "t", "--workers", 0)
    assert result.exit_code == 2
    assert "fersyn: no usable face in the 1 pictures of folder (1 x no face found (50x50 px" in result.stderr


def test_as_a_process_it_starts_quickly_and_fails_cleanly(tmp_path):
    """The whole way through main(), and neither torch nor pandas is imported for an error or a help page."""
    code = (
        "import sys; from fersyn.cli import main\ntry:\n main()\n"
        "finally:\n print([m for m in ('torch', 'pandas', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "data", "london", "nowhere", "--out", str(tmp_path / "t")],
        capture_output=True,
        text=True,
    )
    assert (
        done.returncode == 2
        and done.stderr.count("\n") == 1
        and done.stderr.startswith("fersyn: nowhere does not exist")
    )
    assert done.stdout.strip() == "[]"


def test_help_waits_for_nothing():
    """Every command's module is imported for it, and none of what they compute with."""
    code = "import fersyn.cli, sys; print([m for m in ('torch', 'pandas', 'numpy', 'requests') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_workers_import_no_torch():
    code = "import fersyn.building.warm, sys; print([m for m in ('torch', 'pandas', 'matplotlib') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_version():
    from fersyn import __version__

    assert run("version").output.strip() == __version__


def test_report_goes_to_reporting(monkeypatch):
    import fersyn.reporting.plan as reporting

    asked = {}
    monkeypatch.setattr(reporting, "report", lambda **arguments: asked.update(arguments) or 3)
    result = run(
        "report", "--profile", "smoke", "--cores", 1, "--dry-run", "--only", "01", "--set", "folds=2", "--set", "seed=1"
    )  # fmt: skip
    wanted = {"profile": "smoke", "cores": 1, "dry_run": True, "only": ["01"], "settings": ["folds=2", "seed=1"],
              "private": False}  # fmt: skip
    assert asked == wanted and result.exit_code == 3
