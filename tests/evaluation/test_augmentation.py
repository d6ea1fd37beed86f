"""Table 4 on very few faces: who may be learnt from, what is made, what is counted."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from fersyn.errors import FersynError, SubjectLeak
from fersyn.evaluation.augmentation import allowed, experiment, gain, requests, synthetic
from fersyn.evaluation.augmentation.gain import Arm
from fersyn.evaluation.recognition import confusion
from fersyn.evaluation.scores import summarise
from fersyn.expressions import EXPRESSIONS
from fersyn.figures import Note, Picture, Table
from fersyn.figures import augmentation as figures
from fersyn.methods.warp import Warp
from fersyn.nets.recogniser import classical
from fersyn.pixels import to_floats
from fersyn.training.requests import trained


def asked(**changes):
    given = {"augment_with": "copy", "profile": "smoke", "seed": 3, "seeds": 1, "folds": 2, "real_people": 0, **changes}
    return requests(**given)


@pytest.fixture(scope="module")
def folds(small_table, tmp_path_factory):
    """Two folds of two people, with `warp` "trained" on them: real run folders."""
    own = asked(augment_with="warp", settings=["c-gan.steps=7"], augmentation_settings=["size=64"])
    runs = trained(own, small_table, tmp_path_factory.mktemp("runs"))
    return [experiment.fold_of(small_table, key[1], request, runs[key]) for key, request in own.items()]


def test_the_trainings_are_named_by_fold_and_seed_and_import_nothing_heavy():
    own = asked(seeds=2, folds=3, real_people=5, settings=["lr=1e-3", "c-gan.lr=1"], augmentation_settings=["size=64"])
    assert list(own) == [(3, 1), (3, 2), (3, 3), (4, 1), (4, 2), (4, 3)]
    one = own[4, 2]
    assert (one.name, one.fold, one.people, one.seed) == ("augmentation/copy.fold2.seed4", "2/3", 5, 4)
    assert one.settings == ("lr=1e-3", "size=64")
    code = (
        "import fersyn.evaluation.augmentation, sys; print([m for m in ('torch', 'pandas', 'cv2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", "the report's plan imports it"
    for wrong in ({"folds": 1}, {"seeds": 0}, {"real_people": -1}, {"augment_with": "wrap"}):
        with pytest.raises(FersynError, match=next(iter(wrong))):
            asked(**wrong)


def test_only_a_method_that_saw_the_same_people_may_make_faces(folds, small_table, tmp_path):
    one, two = folds
    allowed(one.run, one.table)
    with pytest.raises(SubjectLeak, match="2 people besides the fold's training people, 2 of them test people"):
        allowed(two.run, one.table)
    with pytest.raises(SubjectLeak):
        experiment.fold_of(small_table, 1, one.request, two.run)
    people = sorted(set(one.table.people[one.train]))
    (tmp_path / "people.json").write_text(json.dumps(people[:1]))
    with pytest.raises(FersynError, match=r"was not trained on 1 of the fold's 2 training people \(.*delete"):
        allowed(tmp_path, one.table)
    (tmp_path / "people.json").unlink()
    with pytest.raises(FersynError, match=r"people\.json is missing"):
        allowed(tmp_path, one.table)


def test_the_people_of_a_fold_are_apart_and_all_are_tested_once(folds, small_table):
    tested = [set(small_table.people[fold.test]) for fold in folds]
    for fold, own in zip(folds, tested, strict=True):
        assert not own & set(small_table.people[fold.train]) and fold.people == 2
    assert tested[0] | tested[1] == set(small_table.people) and not tested[0] & tested[1]


def test_recipes_take_faces_of_training_people_only_and_other_peoples_expressions(folds, small_table):
    fold = folds[0]
    recipes = synthetic.draw(fold.table, fold.train, 70, 1)
    labels, people = small_table.labels(), small_table.people
    own = set(fold.train.tolist())
    assert set(recipes.source.tolist()) <= own and (labels[recipes.source] == 0).all()
    emotive = recipes.label > 0
    guides = recipes.guide[emotive]
    assert set(guides.tolist()) <= own and (labels[guides] == recipes.label[emotive]).all()
    assert (people[guides] != people[recipes.source[emotive]]).all()
    assert (recipes.guide[~emotive] == -1).all() and (recipes.strength[~emotive] == 0).all()
    assert np.bincount(recipes.label).tolist() == [10, 10, 0, 10, 10, 10, 10, 10], "openpeople has no contempt"
    fewer = synthetic.draw(fold.table, fold.train, 20, 1)
    assert np.array_equal(fewer.landmarks, recipes.landmarks[:20]), "fewer are the first of more"
    assert not np.array_equal(synthetic.draw(fold.table, fold.train, 20, 2).source, fewer.source)
    with pytest.raises(SubjectLeak):
        synthetic.draw(fold.table, np.concatenate([fold.train, fold.test[:1]]), 2)
    with pytest.raises(FersynError, match="nothing to synthesise from"):
        synthetic.draw(fold.table, fold.train[labels[fold.train] > 0], 2)


def test_without_motion_the_guides_displacement_is_added_at_the_strength(folds, small_table):
    fold, points, labels = folds[0], small_table.landmarks().astype(float), small_table.labels()
    recipes = synthetic.draw(fold.table, fold.train, 30, 1, strengths=(0.5, 0.5))
    for k in np.flatnonzero(recipes.label > 0):
        guide, source = recipes.guide[k], recipes.source[k]
        same = small_table.people == small_table.people[guide]
        calm = np.flatnonzero(same & (labels == 0))[0]
        shift = points[guide] - points[calm]
        mirrored = shift[list(synthetic.MIRROR)] * (-1, 1)
        moved = (recipes.landmarks[k] - points[source]) / 0.5
        assert min(np.abs(moved - each).max() for each in (shift, mirrored)) < 1e-3, "one neutral face: no other pose"


class Down:
    """In surprise every point goes down by a tenth of the face, and `own` times as far as the face's first point lies right."""

    expressions, own = ("neutral", "surprise"), 0.0

    def as_seen(self):
        return self

    def predict(self, landmarks, label, intensity=1.0, source_label=None, size=128):
        moved = landmarks.clone()
        moved[..., 1] += 0.1 * size + self.own * landmarks[:, :1, 0]
        return moved


def test_with_motion_a_guides_own_manner_is_added_to_what_is_usual(small_table):
    rows = np.arange(len(small_table))
    table = small_table.view()
    table.rows = table.rows.assign(split="train")
    usual = Down()
    plain, mapped = (synthetic.draw(table, rows, 40, 0, each) for each in (None, usual))
    away = np.abs(plain.landmarks - mapped.landmarks).max()
    assert away < 1e-3, "the same for all: what is added for the source is taken from the guide"
    usual.own = 1.0  # and now it depends on the face
    other = synthetic.draw(table, rows, 40, 0, usual)
    changed = np.abs(other.landmarks - plain.landmarks).max((1, 2)) > 1e-2
    assert changed.any() and set(other.label[changed]) == {7}


def test_faces_are_made_as_the_method_makes_them(folds, small_table):
    fold = folds[0]
    recipes = synthetic.draw(fold.table, fold.train, 5, 1)
    made = synthetic.make(Warp(64), small_table, recipes, 64, batch=2)
    assert made.shape == (5, 3, 64, 64) and made.dtype == torch.uint8
    again = synthetic.make(Warp(64), small_table, recipes.part(np.array([3])), 64)
    assert torch.equal(again[0], made[3])
    real = synthetic.shrunk(small_table, recipes.source, 64)
    assert 1 < (made[0].float() - real[0].float()).abs().mean() < 60
    assert synthetic.make(Warp(64), small_table, recipes.part(np.array([], int)), 64).shape == (0, 3, 64, 64)


def test_a_method_that_draws_people_is_asked_for_expressions_alone(folds, small_table):
    recipes, asked = synthetic.draw(folds[0].table, folds[0].train, 5, 1), []

    def sample(count, names):
        asked.extend(names)
        return torch.zeros(count, 3, 128, 128), None

    made = synthetic.make(SimpleNamespace(edits=False, sample=sample), small_table, recipes, 64)
    assert made.shape == (5, 3, 64, 64) and asked == [EXPRESSIONS[label] for label in recipes.label]


def test_classical_variation_is_torchvisions_and_follows_the_generator(small_table):
    faces = synthetic.shrunk(small_table, np.arange(8), 32)
    state = torch.get_rng_state()
    one, two, other = (classical(faces, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, two) and not torch.equal(one, other) and torch.equal(state, torch.get_rng_state())
    assert one.shape == faces.shape and one.dtype == torch.uint8
    assert torch.equal(classical(to_floats(faces), torch.Generator().manual_seed(1)), one)


def test_real_faces_are_dealt_until_they_have_their_share():
    assert experiment.pool(3, 0, 0.5).tolist() == [0, 1, 2]
    dealt = experiment.pool(10, 50, 0.5)
    assert (dealt < 10).float().mean() == 0.5 and set(dealt.tolist()) == set(range(60))
    assert len(experiment.pool(10, 50, 0.0)) == 60, "as they fall"


def test_a_whole_experiment(folds, small_table):
    counted = []
    rows, facts = experiment.run_fold(folds[0], [2, 0], [1, 0, 9], epochs=1, report=counted.append)
    assert len(counted) == 6, "two factors and one person, twice; two people are the fold's own, nine there are not"
    assert facts["real"] == 14 and facts["synthetic"] == 28 and facts["steps"] == 1
    assert len(rows) == 6 * len(folds[0].test) and set(rows["named"]) <= set(EXPRESSIONS)
    assert set(rows["person"]) == set(small_table.people[folds[0].test])
    assert [(arm.variation, arm.factor, arm.asked) for arm in gain.arms(rows)] == [
        ("none", 0, None), ("none", 2, None), ("none", 0, 1), ("classical", 0, None), ("classical", 2, None),
        ("classical", 0, 1),
    ]  # fmt: skip
    again, _ = experiment.run_fold(folds[0], [0], epochs=1)
    same = Arm("classical")
    assert list(same.of(again)["named"]) == list(same.of(rows)["named"]), "the same seed, the same answers"
    for wrong in ({"factors": [-1]}, {"factors": [1], "real_share": 1.0}):
        with pytest.raises(FersynError, match="factors = "):
            experiment.run_fold(folds[0], **{"factors": [0], **wrong})


def test_processes_give_the_numbers_of_one(folds):
    one, two = (experiment.run(folds, [0, 1], epochs=2, workers=workers) for workers in (0, 2))
    pd.testing.assert_frame_equal(one[0], two[0])
    pd.testing.assert_frame_equal(one[1], two[1])
    assert one[1]["fold"].tolist() == [1, 2]


def answers(people=20, seeds=1):
    """Answers whose accuracies are known: none 0 x half right, 10 x all right but anger; classical all wrong."""
    lines = []
    for seed in range(seeds):
        for person in range(people):
            for variation, base, factor, asked_, number, right in (
                ("none", True, 0, 4, 4, lambda e, p: p % 2 == 0), ("none", True, 10, 4, 4, lambda e, p: e != "anger"),
                ("classical", True, 0, 4, 4, lambda e, p: False), ("classical", True, 10, 4, 4, lambda e, p: True),
                ("none", False, 0, 2, 2, lambda e, p: False), ("none", False, 0, 0, 16, lambda e, p: True),
            ):  # fmt: skip
                for expression in ("neutral", "neutral", "anger"):
                    named = expression if right(expression, person) else "fear"
                    line = (seed, person % 2 + 1, variation, factor, base, asked_, number, 3 * factor, f"p{person:02d}")
                    lines.append((*line, expression, named))
    names = "seed fold variation factor base asked people synthetic person expression named"
    return pd.DataFrame(lines, columns=names.split())


def test_accuracy_is_balanced_and_gains_are_paired():
    found = gain.Outcome(answers(seeds=2))
    half, ten = found.accuracy(Arm()), found.accuracy(Arm("none", 10))
    assert half.value == pytest.approx(0.5) and ten.value == pytest.approx(0.5) and half.people == 20
    assert half.low < 0.5 < half.high and ten.low == ten.high == pytest.approx(0.5)
    assert found.plain(Arm("none", 10)) == pytest.approx(2 / 3)
    gained = found.difference(Arm("classical", 10), Arm("classical"))
    assert gained.value == 1 and gained.excludes_zero
    assert not found.difference(Arm("none", 10), Arm()).excludes_zero
    assert found.recall(Arm("none", 10)) == {"neutral": 1.0, "anger": 0.0}
    matrix, names = confusion(Arm("none", 10).of(found.frame))
    assert names == ["neutral", "anger", "fear"] and matrix.tolist() == [[80, 0, 0], [0, 0, 40], [0, 0, 0]]
    runs = found.summary.query("metric == 'balanced'").set_index("method")["deviation"]
    assert runs["10 × synthetic"] == 0 and runs["real faces alone"] > 0.4
    with pytest.raises(FersynError, match="no recogniser was trained"):
        found.accuracy(Arm("none", 5))
    assert next(line for line in found.facts() if line["method"] == "classical, 10 × synthetic")["synthetic"] == 30
    assert set(found.scores.rows["metric"]) == {gain.BALANCED, "balanced", "accuracy", "pooled", "recall"}


def test_worth_in_real_people_is_read_from_the_curve():
    frame = answers()
    assert gain.people_curve(frame, "none")[0] == [2, 4, 16]
    found = gain.Outcome(frame).worths.set_index("method").loc["10 × synthetic"]
    assert found["value"] == pytest.approx(4, abs=0.01), "right as often as with 4 people"
    assert found["low"] < 4 < found["high"]
    best = frame.assign(named=np.where(frame["factor"] == 10, frame["expression"], frame["named"]))
    assert gain.Outcome(best).worths["value"].to_numpy() == pytest.approx(16, rel=1e-3)


def test_a_number_of_people_that_not_every_fold_has_is_no_point_of_the_curve():
    frame = answers(seeds=2)
    most = (frame["asked"] == 0) & ~frame["base"]
    for lacking in (frame["fold"] == 2, frame["seed"] == 1):
        assert gain.people_curve(frame[~(most & lacking)], "none")[0] == [2, 4]
        worth = gain.worth(frame[~(most & lacking)], Arm("none", 10))
        assert len(worth.people) == 20, "all people, not those of one fold"


def test_the_judge_has_not_seen_the_people_whose_faces_it_names(folds):
    kinds = experiment.kinds(folds[0], count=14)
    assert all(len(each.faces) == len(each.labels) == len(each.people) and not each.guides for each in kinds.values())
    found = experiment.judged(folds[0], kinds, epochs=1)
    assert found.attrs == {"people": 2, "real": 14}
    assert len(set(found["faces"])) == 3 and found["right"].between(0, 1).all()
    assert found.loc[found["faces"] == experiment.REAL, "number"].sum() == 14
    scores = gain.judged_scores(found, "t")
    assert summarise(scores)["value"].tolist() == pytest.approx(
        found.groupby("faces", sort=False)[["right", "neutral"]].mean().T.to_numpy().ravel()
    )
    page = figures.judgement(found)._repr_html_()
    assert "strength 1 to 1.7" in page and "anger" in page


def test_figures(folds, small_table):
    found = gain.Outcome(answers())
    curve, people = figures.curve(found), figures.people(found)
    assert isinstance(curve, Picture) and "10 × 100.0" in curve.alt and isinstance(people, Picture)
    page, elsewhere = (figures.table(found, dataset)._repr_html_() for dataset in ("oulu-casia", "generated"))
    assert "67.3" in page and "76.2" in page and "another network" in page
    assert "67.3" not in elsewhere and "published" not in elsewhere, "of other faces, nothing to be compared with"
    assert "<strong>+100.0" in page and "<strong>+0.0" not in page, "bold is what is more than chance"
    assert "more than chance" in figures.verdict(found).text and "may be chance" in figures.verdict(found).text
    assert found.worths["factor"].tolist() == [10]
    assert "<td>4</td>" in figures.worth(found)._repr_html_()
    assert len(figures.confusions(found)) == 2 and isinstance(figures.recall(found), Table)
    assert figures.key_figures(found)["10 × synthetic on top of classical variation"].startswith("+100.0")
    alone = gain.Outcome(found.frame[(found.frame["factor"] == 0) & found.frame["base"]])
    assert isinstance(figures.people(alone), Note) and isinstance(figures.worth(alone), Note)
    assert isinstance(figures.table(alone), Table) and isinstance(figures.curve(alone), Picture)

    everybody = np.ones(len(small_table), bool)
    picture = figures.samples(folds[0], everybody, 7)
    assert isinstance(picture, Picture) and "fold 1" in picture.caption
    assert isinstance(figures.samples(folds[0], ~everybody), Note) and figures.thumbnail(folds[0], ~everybody) is None
    assert len(figures.thumbnail(folds[0], everybody).data) < 40_000


def test_where_plain_accuracy_moved_the_other_way_it_is_said(monkeypatch):
    """Balanced accuracy rises by 50 points; plain accuracy is made to fall, and then to rise."""
    found = gain.Outcome(answers())
    monkeypatch.setattr(gain.Outcome, "plain", lambda self, arm: 0.5 - 0.2 * (arm.factor > 0))
    rose = next(line for line in figures.verdict(found).text.splitlines() if line.startswith("- synthetic faces alone"))
    assert rose.endswith("moved the other way, by −20.0.")
    monkeypatch.setattr(gain.Outcome, "plain", lambda self, arm: 0.5 + 0.2 * (arm.factor > 0))
    both = next(line for line in figures.verdict(found).text.splitlines() if line.startswith("- synthetic faces alone"))
    assert "other way" not in both
