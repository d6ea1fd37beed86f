import numpy as np
import pytest

from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.rendering.recipes import ACTION_UNITS, RECIPES, display, scaled
from fersyn.rendering.rig import load_rig


def test_every_expression_has_a_cited_recipe():
    assert tuple(RECIPES) == EXPRESSIONS
    assert all(recipe.source for recipe in RECIPES.values())


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_displays_use_actions_that_the_rig_has(expression):
    labels = set(load_rig().action_labels)
    for seed in range(20):
        assert set(display(expression, np.random.default_rng(seed))) <= labels


@pytest.mark.parametrize(
    ("expression", "units"),
    [
        ("anger", {"AU4", "AU7"}),
        ("disgust", {"AU9", "AU10"}),
        ("fear", {"AU1", "AU2", "AU4", "AU20"}),
        ("happiness", {"AU6", "AU12"}),
        ("sadness", {"AU1", "AU4", "AU15"}),
        ("surprise", {"AU1", "AU2", "AU5", "AU26"}),
        ("contempt", {"AU12", "AU14"}),
    ],
)
def test_displays_show_the_prototype_of_emfacs(expression, units):
    for seed in range(10):
        names = {
            name.removesuffix("Left").removesuffix("Right") for name in display(expression, np.random.default_rng(seed))
        }
        assert units <= {ACTION_UNITS.get(name) for name in names}


def test_every_action_of_a_recipe_has_its_action_unit():
    used = {name for recipe in RECIPES.values() for part in (recipe.actions, *recipe.variants) for name in part}
    assert used <= set(ACTION_UNITS)


def test_contempt_is_one_sided():
    for seed in range(10):
        names = display("contempt", np.random.default_rng(seed))
        assert ("mouthSmileLeft" in names) != ("mouthSmileRight" in names)


def test_people_differ_in_how_they_wear_an_expression():
    displays = [display("anger", np.random.default_rng(seed)) for seed in range(12)]
    assert len({frozenset(d) for d in displays}) > 1
    assert display("anger", np.random.default_rng(3)) == displays[3]


def test_intensity_scales_all_actions():
    full = display("fear", np.random.default_rng(0))
    assert scaled(full, 0.5) == {name: pytest.approx(value / 2) for name, value in full.items()}
    assert not any(scaled(full, 0.0).values())


def test_unknown_expression_is_named():
    with pytest.raises(FersynError, match="'boredom'.*surprise"):
        display("boredom", np.random.default_rng(0))
