import pandas as pd

from fersyn import weights
from fersyn.evaluation.action_profile import gaps
from fersyn.figures import actions

OWN = pd.DataFrame({"jawOpen": [0.5, 0.1], "mouthSmile": [0.3, 0.9]}, ["fear", "happiness"])
OTHER = pd.DataFrame({"jawOpen": [0.1], "mouthSmile": [0.5]}, ["fear"])


def test_the_bars_say_the_largest_actions():
    picture = actions.bars({"rendered": OWN, "openpeople": OTHER})
    assert "rendered and openpeople" in picture.alt and "happiness mouthSmile 0.90" in picture.alt
    assert picture.data_uri().startswith("data:image/png")


def test_what_is_missing_is_named():
    table = actions.gaps_table(gaps(OWN, OTHER), "rendered", "openpeople")
    assert table.frame.to_numpy().tolist() == [["fear", "mouthSmile 0.30 (0.50)", "jawOpen 0.50 (0.10)"]]
    assert "No action of rendered" in actions.gaps_table(gaps(OWN, OWN), "rendered", "openpeople").text


def test_without_weights_or_labels_a_sentence_stands_there(monkeypatch):
    monkeypatch.setattr(weights, "find", lambda name: "there")
    assert actions.missing_note() == "" and "has a label" in actions.bars({}).text
    monkeypatch.setattr(weights, "find", lambda name: None)
    assert "fersyn weights fetch actions" in actions.bars({}).text == actions.missing_note()
