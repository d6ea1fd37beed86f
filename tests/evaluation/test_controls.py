"""Manners, single actions and costs, on a population whose pictures are openpeople's."""

import numpy as np
import pytest

from fersyn.errors import FersynError
from fersyn.evaluation import controls, population
from fersyn.expressions import EXPRESSIONS
from fersyn.nets import instruments
from fersyn.nets.instruments import ACTIONS

FEW = ["jawOpen", "browDownLeft"]


@pytest.fixture
def still(monkeypatch, population):
    """Nothing moves, whatever is asked for: each time the person's own neutral face. What was asked for is kept."""
    asked = []

    def moved(mapper, w, expression, strength=1.0, **more):
        asked.append((expression, more))
        return population.pictures[population.only(population.first, "neutral", 0.0)]

    monkeypatch.setattr(controls, "moved", moved)
    monkeypatch.setattr(type(population), "w", lambda self, who: who)
    return asked


def test_sliders_say_how_far_an_action_went_and_the_other_side(still, population, monkeypatch):
    gone = np.zeros((1, 52))
    gone[0, [ACTIONS.index(name) for name in ("jawOpen", "browDownLeft", "browDownRight")]] = 0.3, 0.2, 0.1
    monkeypatch.setattr(controls, "metered", lambda faces: (None, gone))
    tried = controls.sliders(population, FEW, 2)
    assert [each[1]["actions"] for each in still] == 2 * [{"jawOpen": 0.5}, {"browDownLeft": 0.5}]
    assert tried.who == population.first and list(tried.pictures) == FEW
    went = tried.scores.rows.groupby(["metric", "action"])["value"].mean()
    assert went["slider", "jawOpen"] == pytest.approx(0.3) and went["slider", "browDownLeft"] == pytest.approx(0.2)
    assert went["slider_other", "browDownLeft"] == pytest.approx(0.1) and ("slider_other", "jawOpen") not in went


def test_a_misspelt_slider_is_refused(population):
    with pytest.raises(FersynError, match="there is no action 'jawOpne'; use some of"):
        controls.sliders(population, ["jawOpne"])


def test_manners_are_those_of_the_tables_people(still, population, small_table, monkeypatch):
    if not instruments.available("actions"):
        pytest.skip("weights of actions are not on this machine: fersyn weights fetch actions")
    worn = controls.in_manners(population, small_table, ["happiness", "contempt"], 3)
    assert len(worn.pictures) == 3, "nobody of the table shows contempt"
    for (expression, who), row in worn.models.items():
        assert small_table.people[row] == who and EXPRESSIONS[small_table.labels()[row]] == expression
    shifts = [each[1]["manner"] for each in still]
    assert all(each.shape == (52,) for each in shifts) and not np.allclose(shifts[0], shifts[1])
    assert set(worn.scores.rows["metric"]) == {"of_manner"}


def test_nothing_to_try_is_nothing_tried(population, monkeypatch):
    nobody = population_of_nobody()
    assert controls.sliders(nobody).pictures == {} and not len(controls.sliders(nobody).scores.rows)
    assert controls.in_manners(population, None, ["anger"], 2).pictures == {}
    assert controls.costs(nobody) == {}


def population_of_nobody():
    return population.draw({}, 3, 0, 0.7)
