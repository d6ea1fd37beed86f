import numpy as np
import pandas as pd
import pytest

from fersyn.evaluation import action_profile
from fersyn.expressions import EXPRESSIONS
from fersyn.nets import instruments


class Brightness:
    """A meter whose actions are 1/100 of their place, left ones by the face's brightness more."""

    def measured(self, faces):
        return np.arange(52) / 100 + faces.mean((1, 2, 3)).numpy()[:, None] * np.array(
            [name.endswith("Left") for name in instruments.ACTIONS]
        )


def test_a_profile_is_the_mean_over_people_of_both_sides_at_the_peak(small_table):
    own = action_profile.profile(small_table, Brightness())
    assert list(own.index) == [name for name in EXPRESSIONS if name != "contempt"]
    assert "_neutral" not in own and {"jawOpen", "browDown", "jawLeft/Right", "mouthLeft/Right"} <= set(own)
    happy = small_table.labels() == EXPRESSIONS.index("happiness")
    light = small_table.tensor(np.flatnonzero(happy)).mean().item()
    left = instruments.ACTIONS.index("browDownLeft")
    assert own.loc["happiness", "browDown"] == pytest.approx((2 * left + 1) / 200 + light / 2, abs=1e-5)
    assert own.loc["happiness", "jawOpen"] == pytest.approx(instruments.ACTIONS.index("jawOpen") / 100)


def test_without_the_meter_there_is_no_profile(small_table, monkeypatch):
    monkeypatch.setattr(instruments, "available", lambda name: False)
    assert action_profile.profiles([small_table]) == {}


def test_photographs_smile_and_frown(small_table):
    if not instruments.available("actions"):
        pytest.skip("weights of actions are not on this machine: fersyn weights fetch actions")
    own = action_profile.profiles([small_table])[small_table.path.name]
    assert own["mouthSmile"].idxmax() == "happiness" and own["jawOpen"].idxmax() == "surprise"


def test_gaps_are_named_largest_first():
    own = pd.DataFrame({"jawOpen": [0.5, 0.1], "mouthSmile": [0.3, 0.9]}, ["fear", "happiness"])
    other = pd.DataFrame({"jawOpen": [0.1, 0.15], "mouthSmile": [0.3, 0.6]}, ["fear", "happiness"])
    found = action_profile.gaps(own, other.loc[["happiness", "fear"]])
    assert found[["expression", "action"]].to_numpy().tolist() == [["fear", "jawOpen"], ["happiness", "mouthSmile"]]
    assert found["difference"].tolist() == pytest.approx([0.4, 0.3])
    assert action_profile.gaps(own, own).empty
