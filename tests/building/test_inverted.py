import shutil

import numpy as np
import pytest
import torch

from fersyn.building import inverted
from fersyn.errors import FersynError, TableError
from fersyn.generating.inversion import Settings
from fersyn.table import FaceTable
from tests.generating.test_inversion import Small, small  # noqa: F401 (a fixture)


@pytest.fixture
def table(small_table, tmp_path):
    """The first seven faces of a copy that may be written to."""
    shutil.copytree(
        small_table.path, tmp_path / "table", ignore=shutil.ignore_patterns(".fersyn")
    )  # others keep codes there
    table = FaceTable.open(tmp_path / "table")
    table.rows = table.rows.iloc[:7]
    return table


def counted(inverter, monkeypatch):
    """A list that grows with every face that is inverted."""
    done, inner = [], inverter._codes
    monkeypatch.setattr(inverter, "_codes", lambda faces, points: done.extend(faces) or inner(faces, points))
    return done


def test_worked_out_once_and_only_what_is_missing(table, small, monkeypatch):  # noqa: F811
    inverter = small()
    done = counted(inverter, monkeypatch)
    some = inverted.of(table, index=[4, 1], inverter=inverter)
    assert some.rows.tolist() == [4, 1] and some.codes.shape == (2, 17, 8) and len(done) == 2
    whole = inverted.of(table, inverter=inverter)
    assert len(whole.rows) == len(table) and len(done) == len(table)
    assert torch.equal(whole.codes[[4, 1]], some.codes)
    again = inverted.of(table.view(), index=table.labels() == 0, inverter=inverter)
    assert len(done) == len(table) and torch.equal(again.codes, whole.codes[table.labels() == 0])
    faces = again.faces()
    assert faces.shape == (len(again.rows), 3, 128, 128) and faces.abs().max() <= 1
    assert not torch.equal(again.faces(again.codes + 1), faces)
    assert again.pictures().shape == (len(again.rows), 3, 256, 256)
    assert [file.name for file in table.path.iterdir() if file.suffix == ".safetensors"] == [], "hidden: no part of it"
    FaceTable.open(table.path).verify()


def test_other_settings_are_other_codes(table, small):  # noqa: F811
    plain = inverted.of(table, index=[0], inverter=small())
    refined = inverted.of(table, index=[0], inverter=small(Settings(steps=2)))
    assert not torch.equal(plain.codes, refined.codes)
    assert len(list((table.path / ".fersyn").glob("inverted-*.safetensors"))) == 2
    with pytest.raises(FersynError, match="other settings"):
        inverted.of(table, Settings(steps=1), inverter=small())


def test_a_killed_run_goes_on(table, small, monkeypatch):  # noqa: F811
    inverter, inner = small(), inverted.Progress.advance
    monkeypatch.setattr(inverted, "KEPT_EVERY", -1.0)
    with monkeypatch.context() as patched:
        patched.setattr(
            inverted.Progress,
            "advance",
            lambda self, count: (_ for _ in ()).throw(KeyboardInterrupt) if self.done == 3 else inner(self, count),
        )
        with pytest.raises(KeyboardInterrupt):
            inverted.of(table, inverter=inverter)
    done = counted(inverter, monkeypatch)
    inverted.of(table, inverter=inverter)
    assert len(done) == len(table) - 3


def test_codes_of_another_generator_or_table_and_damaged_ones(table, small):  # noqa: F811
    inverter = small()
    inverted.of(table, index=[0], inverter=inverter)
    path = inverted.kept_at(table, inverter)
    stranger = small()
    stranger.generator = Small()
    with torch.no_grad():
        next(stranger.generator.style.parameters()).mul_(2)
    with pytest.raises(TableError, match="another generator"):
        inverted.read(path, table, stranger)
    other = table.view()
    other.info = {**table.info, "fingerprint": "0" * 64}
    with pytest.raises(TableError, match="another face table"):
        inverted.read(path, other, small())
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(TableError, match="cannot be read .* delete it"):
        inverted.read(path, table, small())


def test_faces_that_are_none_are_skipped_and_counted(table, small, capsys):  # noqa: F811
    table.rows.at[1, "landmarks"] = [np.zeros(2) for _ in range(68)]
    found = inverted.of(table, index=[0, 1, 2], inverter=small())
    assert found.rows.tolist() == [0, 2] and len(found.codes) == 2 and list(found.skipped) == [1]
    assert "1 of 3 faces cannot be inverted" in capsys.readouterr().err
