"""Notebook 05's tables and pictures: published numbers as printed, nothing hidden, nobody shown who did not agree."""

from dataclasses import replace

import numpy as np
import pytest

from fersyn.evaluation import lineup, verifiers
from fersyn.evaluation.scores import differences, summarise
from fersyn.evaluation.verification import RATES, Faces, Trial
from fersyn.figures import identity
from fersyn.figures.picture import Picture
from fersyn.figures.table import Note
from fersyn.methods.copy import CopySource


class Missing:
    name, title, score, weights, how = "none", "NoNet", "cosine", "sface", "fersyn weights fetch nonet"

    def available(self):
        return False


@pytest.fixture(scope="module")
def line(small_table):
    return lineup.line_up(small_table, everybody=True)


@pytest.fixture(scope="module")
def probes(line, small_table):
    landmarks = small_table.landmarks(line.chosen[:, 0])
    faces = {"untouched": 1, "copy": 0, "flow": 0, "flow.seed1": 0}
    return {name: Faces(small_table.images(line.chosen[:, side]), landmarks) for name, side in faces.items()}


@pytest.fixture(scope="module")
def rows(line, probes):
    found = {}
    for number, name in enumerate(probes):
        random = np.random.default_rng(number)
        apart = random.uniform(0.4, 1, (len(line.chosen), len(line.gallery)))
        apart[line.people[:, None] == line.gallery_people[None]] -= 0.2 if name != "copy" else 0.4
        found[name] = Trial(apart, line.people, line.gallery_people)
    return found


@pytest.fixture(scope="module")
def summary(line, rows):
    return summarise(rates(line, rows), BY, 50)


DLIB = {"dlib": verifiers.get("dlib")}
BY = ("table", "verifier", "method")


def rates(line, rows):
    return lineup.scores(line, {"dlib": rows}, DLIB).of(metric=list(RATES))


def test_published_table_6():
    assert "of the set ckplus" in identity.table6_of_the_paper("generated").text
    text = identity.table6_of_the_paper("ckplus")._repr_html_()
    for number in ("75.54", "48.30", "19.97", "84.62", "63.86", "44.17"):
        assert number in text
    assert "Look at the order" in text


def test_too_few_pairs_and_missing_weights_are_said(summary, line, rows):
    table = identity.table6(summary, DLIB["dlib"], rows)
    assert list(table.frame["probe"]) == ["untouched", "copy", "flow"], "the seeds of a method share a row"
    assert (table.frame["TAR at FAR 1 %"] == "too few pairs").all() and "±" in table.frame["Rank-1"][2]
    assert {y for y, _ in table.bold} == {2}, "untouched and copy are no synthesised faces"
    assert "fersyn weights fetch nonet" in identity.missing({"none": Missing(), **DLIB})._repr_html_()
    assert isinstance(identity.missing(DLIB), Note)
    assert "ten accepted pairs of two people: too few" in identity.line_up(line)._repr_html_()


def test_every_rate_has_its_interval(summary):
    found = summary.query("verifier == 'dlib ResNet' and method == 'flow' and metric == 'rank1'").iloc[0]
    assert found["low"] <= found["value"] <= found["high"] and found["seeds"] == 2


def test_probes_made_from_the_gallery_picture_are_told(line):
    assert "4 of 4 people have a single neutral picture" in identity.sources_note(line).text
    fine = identity.sources_note(replace(line, same_picture=0, left_out=2)).text
    assert "2 people of the training are *not* in the gallery" in fine and "from another sequence" in fine


def test_differences_name_their_base(line, rows):
    gaps = differences(rates(line, rows), minus="copy", by=BY, resamples=50)
    table = identity.against(gaps, "copy")
    assert list(table.frame["probe"]) == ["untouched", "flow"] and "Difference to copy" in table.caption
    assert isinstance(identity.against(gaps[:0], "c-gan"), Note)


def test_pictures_describe_themselves(rows, line, probes):
    everyone = np.ones(len(line.pairs.table), bool)
    found = [
        identity.roc_curves(rows, DLIB["dlib"]),
        identity.histograms(rows, DLIB["dlib"]),
        identity.examples(line, probes, everyone, 3),
        identity.furthest(line, probes, rows, DLIB["dlib"], everyone),
        identity.thumbnail(line, probes, ["flow"], everyone),
    ]
    for picture in found:
        assert isinstance(picture, Picture) and len(picture.alt) > 30
    assert "copy" in found[1].alt and "Euclidean" in found[1].caption


def test_nobody_is_shown_who_did_not_agree(rows, line, probes, small_table):
    nobody = np.zeros(len(small_table), bool)
    assert isinstance(identity.examples(line, probes, nobody, 3), Note)
    assert isinstance(identity.furthest(line, probes, rows, DLIB["dlib"], nobody), Note)
    assert identity.thumbnail(line, probes, ["flow"], nobody) is None
    one = small_table.people == line.people[0]
    assert set(line.people[identity._pictured(line, one)]) == {line.people[0]}


def test_the_worst_probe_is_the_one_furthest_from_its_person(line, probes, rows, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        identity.faces, "grid", lambda cells, names, columns, **texts: seen.update(cells=cells, names=columns)
    )
    everyone = np.ones(len(line.pairs.table), bool)
    identity.furthest(line, probes, rows, DLIB["dlib"], everyone)
    assert seen["names"] == ["untouched", "copy", "flow"]
    trial = rows["flow"]
    worst = int(trial.apart[trial.same].argmax())
    assert np.array_equal(seen["cells"][2][2], probes["flow"].images[worst])
    assert (seen["cells"][3][2] is None) == (trial.named[worst] == trial.probe[worst])


def test_the_best_verifier_tells_untouched_people_apart(rows, line):
    chance = Trial(
        np.random.default_rng(9).uniform(size=(len(line.chosen), len(line.gallery))), line.people, line.gallery_people
    )
    assert lineup.best_verifier({"chance": {"untouched": chance}, "good": rows}) == "good"


def test_copy_as_synthesiser_gives_the_sources(line, small_table):
    found = lineup.probes_of(line, {"copy": CopySource(small_table.size)}, batch=5)["copy"]
    assert np.array_equal(found.images, small_table.images(line.chosen[:, 0]))


def test_a_probe_without_a_face_is_told_and_drawn(rows, line, probes):
    apart = rows["flow"].apart.copy()
    apart[:2] = np.inf
    lost = {**rows, "flow": Trial(apart, line.people, line.gallery_people)}
    found = summarise(rates(line, lost), BY, 20)
    told = "probes without a face, counted as not recognised: flow 2"
    assert told in identity.table6(found, DLIB["dlib"], lost).caption
    assert "copy" not in identity.unseen_note({"dlib": lost}, DLIB)
    assert identity.unseen_note({"dlib": lost}, DLIB) == f"dlib ResNet; {told}."
    assert identity.unseen_note({"dlib": rows}, DLIB) == "" and lineup.unseen(lost) == {"flow": 2}
    assert isinstance(identity.histograms(lost, DLIB["dlib"]), Picture)
    assert isinstance(identity.roc_curves(lost, DLIB["dlib"]), Picture)
    shown = np.ones(len(line.pairs.table), bool)
    assert isinstance(identity.furthest(line, probes, lost, DLIB["dlib"], shown), Picture)
    nobody = {**rows, "flow": Trial(np.full_like(apart, np.inf), line.people, line.gallery_people)}
    assert isinstance(identity.histograms(nobody, DLIB["dlib"]), Picture)
    assert isinstance(identity.roc_curves(nobody, DLIB["dlib"]), Picture)


def test_the_row_to_compare_with():
    assert identity.base_of(["landmark-flow", "c-gan"]) == "c-gan" and identity.base_of(["landmark-flow"]) == "warp"
