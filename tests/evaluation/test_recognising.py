import numpy as np
import pytest
import torch

from fersyn.errors import FersynError
from fersyn.evaluation import recognising
from fersyn.evaluation.scores import summarise
from fersyn.expressions import EXPRESSIONS
from fersyn.methods import get


def test_variants_are_settings_of_their_methods():
    for method, given in recognising.VARIANTS.items():
        made = [get(method).preset("laptop").with_settings(own.settings) for own in given.values()]
        assert len({config.model_dump_json() for config in made}) == len(given) >= 4
    asked = recognising.requests("fesgan", "laptop", seed=3, seeds=2, settings=["steps=20"])
    assert len(asked) == 10 == len({request.name for request in asked.values()})
    assert asked["joint", 4].settings == ("steps=20", "weight_intra_class=0")
    assert list(recognising.requests("de-gan", "smoke", variants=["code alone"])) == [("code alone", 0)]
    with pytest.raises(FersynError, match="c-gan learns no recogniser; use one of: fesgan, de-gan"):
        recognising.requests("c-gan", "smoke")
    with pytest.raises(FersynError, match="has no variant codes"):
        recognising.requests("de-gan", "smoke", variants=["codes"])


class Coded:
    """Codes of faces by the table's own labels or people; a recogniser that is always right."""

    name = "coded"

    def __init__(self, table, holds):
        self.holds = holds
        self.known = {table.tensor([k]).numpy().tobytes(): k for k in range(len(table))}
        self.labels = table.labels()
        self.number = np.unique(table.people.astype(str), return_inverse=True)[1]

    def rows(self, faces):
        return [self.known[face[None].numpy().tobytes()] for face in faces]

    def codes(self, faces):
        what = {"expression": self.labels, "person": self.number}[self.holds][self.rows(faces)]
        noise = torch.randn(len(what), 8, generator=torch.Generator().manual_seed(1))
        return torch.nn.functional.one_hot(torch.from_numpy(what), 8) + 0.01 * noise

    def recognise(self, faces):
        return torch.nn.functional.one_hot(torch.from_numpy(self.labels[self.rows(faces)]), 8).float()


@pytest.mark.parametrize("holds", ["expression", "person"])
def test_probes_read_what_a_code_holds(holds, small_table):
    view = small_table.view("1/2", 0, 0)
    found = summarise(recognising.probe(Coded(view, holds), view)).set_index("metric")["value"]
    assert found["accuracy"] == 1
    assert found["probe_expression"] == 1 if holds == "expression" else found["probe_expression"] < 0.5
    assert found["probe_identity"] == 1 if holds == "person" else found["probe_identity"] < 0.9


def test_recognisers_are_measured_at_home_and_across_sets(small_table, monkeypatch, tmp_path):
    view, checked = small_table.view("1/2", 0, 0), []
    monkeypatch.setattr(recognising, "allowed", lambda run, table: checked.append(run))
    monkeypatch.setattr(recognising, "load", lambda run: Coded(view, "expression"))
    found = recognising.measure({("joint", 0): tmp_path}, view)
    assert checked == [tmp_path] and (found.rows["value"] == 1).all()
    assert set(found.rows["person"]) == view.people_of("test")
    text = recognising.table_of(summarise(found))
    assert "joint, person_balanced: 100.0 %" in text and "updates the generator as well" in text
    assert set(found.rows["expression"]) <= set(EXPRESSIONS)
