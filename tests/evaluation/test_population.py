"""People of a generator as all instruments see them; here their pictures are openpeople's."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from fersyn.errors import FersynError
from fersyn.evaluation import intensity, judging
from fersyn.evaluation import population as module
from fersyn.evaluation.population import ALIKE, SHIPPED, STRENGTHS
from fersyn.evaluation.scores import Scores, guided, rows_of, summarise
from fersyn.expressions import EXPRESSIONS
from fersyn.nets import expression_mapper, generators
from fersyn.nets.expression_mapper import MOVED
from fersyn.reporting import project


class Naming:
    """A judge that calls every face alike."""

    def __init__(self, name, classes=tuple(range(8))):
        self.name, self.classes = name, classes

    def named(self, faces):
        assert faces.min() >= -1 and faces.max() <= 1
        return np.full(len(faces), EXPRESSIONS.index(self.name))


@pytest.fixture
def happy(monkeypatch):
    known = tuple(k for k, name in enumerate(EXPRESSIONS) if name != "contempt")
    monkeypatch.setattr(judging, "there", lambda name: Naming("happiness", known))


@pytest.fixture
def empty():
    return module.draw({}, 5, 0, 0.7)


def test_everybody_is_drawn_once_a_mapper_and_a_moment(population):
    rows = population.rows
    assert len(rows) == 2 * (1 + 7 * len(STRENGTHS) + 2 * 8) and not rows.duplicated().any()
    assert len(population.pictures) == len(population.faces) == len(population.landmarks) == len(rows)
    assert list(population.samples) == ["G7-00000", "G7-00001"]
    assert population.reasons == {"G7-00000": "", "G7-00001": "not frontal"} and population.first == "G7-00000"


def test_a_face_is_measured_against_the_own_neutral_one(population):
    for name in population.mappers:
        loud, calm = population.at(name)
        assert len(loud) == 14 and set(population.expressions[calm]) == {"neutral"}
        assert (population.people[loud] == population.people[calm]).all()
        assert set(population.rows["mapper"][[*loud, *calm]]) == {name}
    assert len(population.at(SHIPPED, 1.3)[0]) == 14 and len(population.at(ALIKE, 1.3)[0]) == 0


def test_who_lost_the_neutral_face_is_measured_nowhere(population):
    kept = ~((population.rows["person"] == "G7-00001") & (population.rows["strength"] == 0)).to_numpy()
    other = replace(
        population, rows=population.rows[kept].reset_index(drop=True),
        **{name: getattr(population, name)[kept] for name in ("pictures", "faces", "landmarks", "mesh", "actions")},
    )  # fmt: skip
    assert set(other.people[other.at()[0]]) == {"G7-00000"}
    assert set(module.identity(other).rows["person"]) == {"G7-00000"}


def test_pictures_without_a_face_are_counted(population, monkeypatch):
    monkeypatch.setattr(module, "person", lambda *_: torch.zeros(1, 1))
    monkeypatch.setattr(module, "makers", lambda: (SimpleNamespace(layers=lambda w: w, styles=23), None))
    monkeypatch.setattr(module, "picture", lambda layers: np.zeros((256, 256, 3), np.uint8))
    monkeypatch.setattr(module, "portrait", lambda *_: np.zeros((256, 256, 3), np.uint8))
    monkeypatch.setattr(module.instruments, "available", lambda name: False)
    found = module.draw({SHIPPED: population.mappers[SHIPPED]}, 1, 7, 0.7)
    assert found.lost == 22 and not len(found.rows) and found.first == "" and found.reasons == {}


def test_judges_are_marked_where_they_were_guides_and_there_alone(population, happy):
    scores = module.named(population, Naming("contempt"))
    rows = scores.rows
    marks = {(row["metric"], row["method"]) for row in rows.to_dict("records") if guided(row)}
    assert ("named_facex", SHIPPED) in marks and ("named_fer", "without facex") in marks
    assert ("named_facex", "without facex") not in marks and not any(metric == judging.KIT for metric, _ in marks)
    assert set(rows["method"]) == {
        SHIPPED,
        f"{SHIPPED}, strength 0.5",
        f"{SHIPPED}, strength 1.3",
        ALIKE,
        "without facex",
    }
    kit = rows[(rows["metric"] == judging.KIT) & (rows["method"] == SHIPPED)].groupby("expression")["value"].mean()
    assert kit["contempt"] == 1 and kit.drop("contempt").eq(0).all() and "neutral" in kit
    fer = rows[(rows["metric"] == "named_fer") & (rows["method"] == SHIPPED)].groupby("expression")["value"].mean()
    assert fer["happiness"] == 1 and "contempt" not in fer


def test_without_a_recogniser_the_judges_still_speak(population, happy):
    assert set(module.named(population, None).rows["metric"]) == {"named_fer", "named_facex"}


def test_who_is_not_moved_stays_the_person(population):
    scores = module.identity(population)
    still = scores.rows[scores.rows["method"] == "without facex"]
    assert still[still["metric"] == "own_distance"]["value"].max() < 0.01
    summary = summarise(scores).set_index(["method", "metric"])
    assert summary.loc[("without facex", "rank1"), "value"] == 1
    assert 0.2 < summary.loc[(SHIPPED, "own_distance"), "value"] < 0.6, "openpeople's own expressions"
    assert all(map(guided, summary.reset_index().to_dict("records"))), "dlib's network was a guide"
    assert list(module.by(scores, "expression")["expression"].unique()) == list(MOVED)


def test_strength_is_read_off_the_actions(population):
    steps = module.growing(population)
    assert set(steps["asked"]) == {0.0, *STRENGTHS} and steps["pair"].nunique() == 14
    np.testing.assert_allclose(steps["measured"], 0.5 * steps["asked"], rtol=1e-5)
    assert module.growth(population, steps).rows["guide"].all() and not len(module.growth(population, steps[:0]).rows)
    numbers = intensity.sweep_numbers(steps)
    assert numbers["rank"].eq(1).all() and numbers["full"].to_numpy() == pytest.approx(0.5)


def test_contempt_is_one_corner_above_the_other(population, happy):
    scorn = (population.expressions == "contempt") & (population.rows["mapper"] == SHIPPED).to_numpy()
    mesh = np.zeros_like(population.mesh)
    mesh[:, [33, 133], 0], mesh[:, [362, 263], 0] = -10, 10
    mesh[scorn, 291, 1] = -2  # the person's left corner, higher in the picture
    scores = module.contempt(replace(population, mesh=mesh), Naming("anger"))
    values = summarise(scores).set_index(["method", "metric"])["value"]
    assert values[SHIPPED, "one_sided"] == pytest.approx(0.1) and values[ALIKE, "one_sided"] == 0
    assert values[SHIPPED, "happy_fer"] == 1 and values[SHIPPED, "happy_kit"] == 0
    marks = {(row["metric"], row["method"]): guided(row) for row in scores.rows.to_dict("records")}
    assert (
        marks["happy_facex", SHIPPED]
        and not marks["happy_facex", "without facex"]
        and not marks["happy_kit", SHIPPED]
        and marks["one_sided", SHIPPED]
    )


def test_what_a_table_leaves_out():
    def rows(metric, values, expressions):
        who = ["a"] * len(values)
        return rows_of(metric, values, who, range(len(values)), expressions, method=SHIPPED, seed=0, table="generated")

    names = ["anger", "fear", "disgust"]
    kept = Scores(pd.concat([rows("own_distance", [0.6, 0.1, 0.1, 0.1], [*names, "contempt"])]))
    named = Scores(pd.concat([rows("named_fer", [1, 0, 0], names), rows("named_facex", [1, 1, 0], names)]))
    scorn = pd.concat([rows(name, [0, 0, 0, 1], [*names, "contempt"]) for name in ("happy_fer", "happy_facex")])
    scorn = Scores(scorn[scorn["expression"] == "contempt"])
    found = module.refused(named, kept, scorn).rows
    assert found["value"].tolist() == [1, 0, 1, 1], "too far; one believes; neither does; both call contempt happy"
    nobody = Scores(pd.DataFrame())
    assert module.refused(nobody, kept, nobody).rows["value"].tolist() == [1, 0, 0, 0], "judges' weights are missing"
    alone = module.refused(named.of(metric="named_fer"), kept, nobody).rows["value"]
    assert alone.tolist() == [1, 0, 0, 0], "one judge alone refuses nobody"


def test_without_the_generator_nothing_is_drawn_and_nothing_fails(monkeypatch, empty, happy):
    monkeypatch.setattr(generators, "available", lambda: False)
    assert module.mappers(["nowhere.safetensors"], 0, 0.7) == {}
    assert not len(empty.rows) and empty.first == "" and empty.pictures.shape == (0, 256, 256, 3)
    named, kept, scorn = module.named(empty, None), module.identity(empty), module.contempt(empty, None)
    for scores in (named, kept, scorn, module.refused(named, kept, scorn)):
        assert not len(scores.rows) and not len(summarise(scores))
    assert not len(module.growing(empty)) and not len(module.by(kept, "expression"))


@pytest.fixture
def known(monkeypatch):
    """The kit's mapper without the generator, which is only asked for its fingerprint and samples."""
    _, about = expression_mapper.shipped.read(expression_mapper.FILE, _fingerprint())
    generator = SimpleNamespace(
        fingerprint=about["generator"], width=512, device=torch.device("cpu"), sample=lambda z, truncation: truncation * z
    )  # fmt: skip
    kits = expression_mapper.get(generator)
    monkeypatch.setattr(module, "makers", lambda: (generator, kits))
    monkeypatch.setattr(generators, "available", lambda: True)
    return kits


def _fingerprint():
    import json

    from safetensors import safe_open

    with safe_open(str(expression_mapper.shipped.FOLDER / expression_mapper.FILE), "pt") as file:
        return json.loads(file.metadata()["generator"])


def test_the_ablation_that_the_card_shows_is_found_and_says_what_it_lacks(known, tmp_path):
    file = project.root() / "docs" / "generator" / "ablation" / "mapper_without_facex.safetensors"
    found = module.mappers([file, tmp_path / "gone.safetensors"], 0, 0.7)
    assert list(found) == [SHIPPED, ALIKE, "without facex"]
    assert "facex" not in found["without facex"].guides and set(known.guides) == set(expression_mapper.GUIDES)


def test_a_folder_that_is_no_run_of_a_mapper_is_refused(known, tmp_path, monkeypatch):
    from fersyn.training import runs

    monkeypatch.setattr(runs, "load", lambda run: SimpleNamespace(networks={}))
    with pytest.raises(FersynError, match="is no run of expression-mapper; train one"):
        module.mappers([tmp_path], 0, 0.7)
