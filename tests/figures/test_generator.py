"""Notebook 08's pictures and tables; without the generator's weights, sentences in their place."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fersyn import weights
from fersyn.evaluation import judging
from fersyn.evaluation import population as module
from fersyn.evaluation.controls import Tried
from fersyn.evaluation.population import SHIPPED
from fersyn.evaluation.reconstruction import reconstructed
from fersyn.evaluation.scores import Scores, rows_of, summarise
from fersyn.figures import generator as figures
from fersyn.figures.picture import Picture
from fersyn.figures.table import Note
from tests.evaluation.test_reconstruction import Mirror


@pytest.fixture
def empty():
    return module.draw({}, 3, 0, 0.7)


def test_pictures(population):
    for picture in (figures.samples(population), figures.sheet(population), figures.strengths(population)):
        assert isinstance(picture, Picture) and picture.alt
    assert "1 person" in figures.sheet(population).alt, "who cannot be taken is not in it"
    assert figures.thumbnail(population).data_uri().startswith("data:image/jpeg")


def test_refusals_are_counted_by_reason(population):
    table = figures.refusals(population, pd.DataFrame({"value": [0.25]}))
    assert dict(table.frame.to_numpy().tolist()) == {
        "person: taken": 50.0, "person: not frontal": 50.0, "face: another person's, or believed by neither judge": 25.0,
    }  # fmt: skip


def test_a_guide_is_marked_in_the_ablation(population):
    kept = summarise(module.identity(population))
    table = figures.ablation(pd.DataFrame(), kept, mappers=list(population.mappers))
    text = table.frame.set_index("at full strength")
    assert "(guide)" in text.loc["distance from the own gallery face ↓", SHIPPED]
    assert list(text) == list(population.mappers)


def test_single_actions_are_ranked(population):
    names = ["jawOpen", "browDownLeft", "noseSneerLeft"]
    about = {"method": SHIPPED, "seed": 0, "table": "generated", "action": names}
    rows = rows_of("slider", [0.1, 0.4, 0.0], ["a"] * 3, names, ["neutral"] * 3, **about)
    summary = module.by(Scores(rows), "action")
    assert "Usable: browDownLeft. Dead: noseSneerLeft." in figures.slider_chart(summary).alt
    face = population.pictures[0]
    tried = Tried(population.first, dict.fromkeys(names, face), {}, Scores(rows))
    assert isinstance(figures.slider_faces(tried, population, summary), Picture)


def test_inversions_stand_below_the_photographs_that_may_be_shown(small_table):
    back = reconstructed(small_table, {"same": Mirror(0.0), "dark": Mirror(0.2)}, [0, 7])
    picture = figures.inverted(small_table, back, np.arange(len(small_table)) != 7)
    assert isinstance(picture, Picture) and "1 person" in picture.alt
    assert isinstance(figures.inverted(small_table, back, np.zeros(len(small_table), bool)), Note)
    table = figures.reconstruction(summarise(back.scores)).frame
    assert table["inverted by"].tolist() == ["same", "dark"] and any("time a face" in name for name in table)
    assert isinstance(figures.reconstruction(pd.DataFrame()), Note)


def test_manners_of_people_who_may_not_be_shown_are_blank(population, small_table):
    key, face = ("happiness", "openpeople/P001"), population.pictures[0]
    tried = Tried(population.first, {key: face}, {key: 3}, Scores(pd.DataFrame()))
    open_, closed = (
        figures.manners(tried, population, small_table, np.full(len(small_table), may)) for may in (True, False)
    )
    assert open_.data != closed.data and isinstance(closed, Picture)


def test_the_short_ablations_come_with_the_kit_and_say_where_they_are_from():
    table = figures.short_ablation()
    assert list(table.frame)[1:] == ["full", "full, one way for all people", *figures.UNTRAINED]
    text = table.frame.set_index("at full strength")
    guides = {"named by fer, % ↑": {"landmarks alone"}, "named by facex, % ↑": {"landmarks alone", "without facex"}}
    for line, strangers in guides.items():
        assert {name for name, cell in text.loc[line].items() if "(guide)" not in cell} == strangers
    assert not any("(guide)" in cell for cell in text.loc["named by the kit's recogniser, % ↑"])
    assert figures.SHORT["commit"] in table.caption and "Not measured on this machine" in table.caption


def test_what_is_untrained_is_named_with_its_command():
    text = figures.untrained([SHIPPED, "without facex"], "laptop").text
    assert "without actions, without identity, landmarks alone" in text
    assert "fersyn train expression-mapper --data data/laptop/openpeople" in text and "--set weight_identity=0" in text
    assert "weight_facex=0\n" not in text, "that one is here"
    assert figures.untrained(figures.UNTRAINED, "laptop").text == ""


def test_the_settings_of_the_ablations_are_settings():
    from fersyn.methods.expression_mapper import Config

    for settings in figures.UNTRAINED.values():
        assert {each.partition("=")[0] for each in settings} <= set(Config.model_fields)


def test_without_the_generator_sentences_stand_there(empty, monkeypatch):
    monkeypatch.setattr(weights, "find", lambda name: None)
    told = figures.missing_note(empty)
    assert "fersyn weights fetch stylegan-mapping stylegan-mapping-graph stylegan-synthesis" in told
    nothing = pd.DataFrame()
    tried = Tried("", {}, {}, Scores(nothing))
    for figure in (
        figures.samples(empty), figures.sheet(empty), figures.strengths(empty), figures.refusals(empty, nothing),
        figures.manners(tried, empty, None, None), figures.identity(nothing), figures.strength(nothing),
        figures.contempt(nothing), figures.ablation(nothing, nothing, mappers=[]), figures.costs({}),
        figures.arrived(nothing), figures.slider_chart(summarise(Scores(nothing))),
    ):  # fmt: skip
        assert isinstance(figure, Note) and figure.text and "in public" not in figure.text
    assert figures.thumbnail(empty) is None and not len(
        figures.of_methods(judging.by_expression(Scores(nothing)), [], True)
    )


def test_with_it_no_note_is_needed(population):
    assert figures.missing_note(population) == ""
    assert replace(population, reasons={}).first == population.first
