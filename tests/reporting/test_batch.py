"""papermill with a whole profile warns of nothing that is right, and of what is wrong as ever."""

from pathlib import Path

import papermill
import pytest

from fersyn.reporting import batch, parameters

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def warned(caplog, monkeypatch, tmp_path):
    """The parameters that papermill warns of, for notebook 03 with some more parameters."""

    def run(given, where=ROOT):
        monkeypatch.chdir(where)
        caplog.clear()
        source, out = ROOT / "notebooks" / "03_image_quality.ipynb", tmp_path / "out.ipynb"
        papermill.execute_notebook(str(source), str(out), parameters=given, prepare_only=True)
        lines = [line for line in caplog.messages if "Passed unknown parameter" in line]
        return [line.split(": ")[1] for line in lines]

    return run


@pytest.mark.parametrize("profile", ["smoke", "laptop", "paper"])
def test_of_a_whole_profile_nothing_is_said(warned, profile):
    chosen = parameters.load_profile(profile, folder=ROOT)
    assert warned({**chosen.parameters, "tables": {name: " ".join(line) for name, line in chosen.tables.items()}}) == []


def test_of_a_misspelt_name_and_elsewhere_as_ever(warned, tmp_path, monkeypatch):
    assert warned({"metod": "copy", "folds": 3}) == ["metod"]
    monkeypatch.setattr(batch.project, "PACKAGE", tmp_path / "nowhere" / "fersyn")
    assert warned({"folds": 3}, tmp_path) == ["folds"]


def test_the_engine_is_papermills_own(warned, monkeypatch, tmp_path):
    from papermill.engines import papermill_engines

    monkeypatch.setitem(papermill_engines._engines, "fersyn", batch.Engine)
    assert papermill_engines.get_engine("fersyn").execute_managed_notebook.__func__ is (
        papermill_engines.get_engine("nbclient").execute_managed_notebook.__func__
    )
