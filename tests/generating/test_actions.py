import pytest

from fersyn.errors import FersynError
from fersyn.generating.actions import LITTLE, WELL, both_sides, read
from fersyn.nets.expression_mapper import sliders


def test_a_name_without_a_side_is_both():
    wanted = both_sides({"eyeBlink": 0.3, "jawOpen": 0.5, "browDownLeft": -0.2})
    assert wanted == {"eyeBlinkLeft": 0.3, "eyeBlinkRight": 0.3, "jawOpen": 0.5, "browDownLeft": -0.2}
    for order in (("mouthSmile", "mouthSmileLeft"), ("mouthSmileLeft", "mouthSmile")):
        amounts = {"mouthSmile": 0.8, "mouthSmileLeft": 0.1}
        assert both_sides({name: amounts[name] for name in order}) == {"mouthSmileLeft": 0.1, "mouthSmileRight": 0.8}


def test_unknown_names_are_left_for_the_mapper_to_refuse():
    for name in ("eyeblink", "Left", "", "mouth", "jaw"):
        with pytest.raises(FersynError, match=f"no action '{name}'; use some of: browDownLeft"):
            sliders(both_sides({name: 0.5}))


def test_those_that_move_are_actions_each_once():
    names = (*WELL, *LITTLE)
    single = both_sides(dict.fromkeys(names, 0.5))
    assert sliders(single).count_nonzero() == len(single) == sum(len(both_sides({name: 1})) for name in names)


def test_command_line():
    assert read(["jawOpen=0.5", "eyeBlink = -.3", "jawOpen=0.2"]) == {"jawOpen": 0.2, "eyeBlink": -0.3}
    for wrong in ("jawOpen", "jawOpen=", "jawOpen=wide"):
        with pytest.raises(FersynError, match=f"--action {wrong}: write NAME=AMOUNT"):
            read([wrong])
