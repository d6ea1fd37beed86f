from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fersyn import manners
from fersyn.errors import FersynError
from fersyn.manners import MIRRORED, Manners
from fersyn.nets.expression_mapper import MOVED, NONE
from fersyn.nets.instruments import ACTIONS


class Meter:
    """Sees nine points of the mean colour, and as actions the mean colour itself: one number a picture."""

    def mesh(self, faces):
        value = faces.mean((1, 2, 3))[:, None, None]
        grid = torch.rand(478, 3, generator=torch.Generator().manual_seed(0)) * faces.shape[-1]
        points = grid.expand(len(faces), -1, -1).clone()
        points[:, 61:62] += value  # a corner of the mouth, no stable point
        return points

    def of_mesh(self, mesh):
        return mesh[:, 61, :1].expand(-1, len(ACTIONS)).clone()


CONFIG = SimpleNamespace(people=5)


@pytest.fixture
def drawn(small_table, monkeypatch):
    monkeypatch.setattr(manners, "get", lambda name: Meter())
    return Manners(CONFIG, small_table, "cpu")


def test_displacements_are_those_of_the_training_people(drawn, small_table):
    learnt = len(small_table.people_of("train"))
    assert learnt < len(set(small_table.people)), "somebody is held out"
    counts = {MOVED[k]: len(own) for k, own in enumerate(drawn.shift[: len(MOVED)])}
    assert counts == {**dict.fromkeys(MOVED, learnt), "contempt": 1}
    rows = small_table.rows
    person = sorted(small_table.people_of("train"))[0]
    face = {
        name: float(
            small_table.tensor(np.flatnonzero((small_table.people == person) & (rows["expression"] == name))).mean()
        )
        for name in ("neutral", "surprise")
    }
    moved = np.array([own[1] for own in drawn.shift[MOVED.index("surprise")]])
    assert np.isclose(moved, face["surprise"] - face["neutral"], atol=1e-4).any()


def test_contempt_is_one_corner_where_the_table_has_none(drawn):
    wanted = drawn.shift[MOVED.index("contempt")][0]
    assert wanted[ACTIONS.index("mouthSmileLeft")] > 0.3 and wanted[ACTIONS.index("mouthSmileRight")] == 0


def test_eyes_stay_open_but_for_smiles_and_disgust(drawn):
    blink = ACTIONS.index("eyeBlinkLeft")
    for kind, name in enumerate(MOVED):
        if name not in ("disgust", "happiness"):
            assert all(own[blink] <= 0 for own in drawn.shift[kind]), name


def test_a_batch_follows_from_seed_and_step_and_divides_among_processes(drawn):
    whole, again = drawn.batch(3, 8, seed=1), drawn.batch(3, 8, seed=1)
    parts = [drawn.batch(3, 8, 1, rank, 2) for rank in (0, 1)]
    other = drawn.batch(4, 8, seed=1)
    for name in ("row", "strength", "shift", "mesh", "slider", "left"):
        value = getattr(whole, name)
        assert torch.equal(value, getattr(again, name))
        assert torch.equal(value, torch.cat([getattr(part, name) for part in parts]))
    assert whole.people == parts[0].people + parts[1].people == [4, 0, 1, 2, 3, 4, 0, 1]
    assert not torch.equal(whole.strength, other.strength)


def test_all_rows_strengths_and_sliders_come(drawn):
    tasks = [drawn.batch(step, 32, seed=0) for step in range(20)]
    row, strength = torch.cat([task.row for task in tasks]), torch.cat([task.strength for task in tasks])
    slider = torch.cat([task.slider for task in tasks])
    assert set(row.tolist()) == {*range(len(MOVED)), NONE}
    assert 0.1 <= strength.min() < 0.2 and 1.2 < strength.max() <= 1.3 and 0.3 < (strength == 1).float().mean() < 0.4
    asked = slider.ne(0).any(1)
    assert asked[row == NONE].all() and 0.05 < asked[row != NONE].float().mean() < 0.2
    assert slider.abs().max() <= 0.9 and (slider != 0).any(0).sum() > 45
    assert not slider[:, 0].any(), "`_neutral` is no action"


def test_contempt_comes_on_both_sides(drawn):
    tasks = [drawn.batch(step, 32, seed=0) for step in range(20)]
    scorn = torch.cat([task.row for task in tasks]) == MOVED.index("contempt")
    left, shift = (torch.cat([getattr(task, name) for task in tasks])[scorn] for name in ("left", "shift"))
    a, b = ACTIONS.index("mouthSmileLeft"), ACTIONS.index("mouthSmileRight")
    assert (shift[left][:, a] > shift[left][:, b]).all() and (shift[~left][:, a] < shift[~left][:, b]).all()
    assert 0.1 < (~left).float().mean() < 0.5


def test_mirrored_twice_is_the_same():
    assert [MIRRORED[k] for k in MIRRORED] == list(range(len(ACTIONS)))
    assert ACTIONS[MIRRORED[ACTIONS.index("browDownLeft")]] == "browDownRight"
    assert MIRRORED[ACTIONS.index("jawOpen")] == ACTIONS.index("jawOpen")
    assert ACTIONS[MIRRORED[ACTIONS.index("jawLeft")]] == "jawRight"


def test_a_turned_head_moves_nothing():
    points = np.random.default_rng(0).random((478, 2))
    turned = 1.3 * points @ np.array([[0.8, 0.6], [-0.6, 0.8]]) + 4
    np.testing.assert_allclose(manners.rigid(turned, points), points, atol=1e-9)


def test_nobody_to_learn_from(small_table, monkeypatch):
    monkeypatch.setattr(manners, "get", lambda name: Meter())
    rows = small_table.rows.assign(expression="neutral")
    with pytest.raises(FersynError, match="nobody to learn manners from"):
        Manners(CONFIG, type(small_table)(small_table.path, rows, small_table.info, small_table.skipped), "cpu")
