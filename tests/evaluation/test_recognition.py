from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score

from fersyn import splits
from fersyn.errors import FersynError, SubjectLeak
from fersyn.evaluation import recognition
from fersyn.evaluation.scores import summarise
from fersyn.expressions import EXPRESSIONS

KINDS = ("neutral", "happiness", "surprise")


def toy_table(people=6, each=2, seed=0):
    """Faces 32 px with a bright patch whose place tells the expression; landmarks shifted alike. Quacks like a
    FaceTable.
    """
    random = np.random.default_rng(seed)
    entries, images, points = [], [], []
    for person in range(people):
        base = random.uniform(-0.3, 0.3)
        for number, kind in enumerate(KINDS):
            for frame in range(each):
                image = np.full((3, 32, 32), base, np.float32) + random.normal(0, 0.05, (3, 32, 32)).astype(np.float32)
                top = 8 + 6 * number
                image[:, top : top + 5, 10:22] += 0.6
                images.append(image)
                points.append(random.normal(16, 1, (68, 2)) + (0, 2 * number))
                entries.append(
                    ("toy", f"p{person}", "", frame, f"{len(entries)}.png", kind, 0.0 if kind == "neutral" else 1.0)
                )
    rows = pd.DataFrame(
        entries, columns=["dataset", "subject", "sequence", "frame", "file_name", "expression", "intensity"]
    )
    tensor, landmarks = torch.from_numpy(np.stack(images)).clamp(-1, 1), np.array(points, np.float32)
    labels = np.array([EXPRESSIONS.index(kind) for kind in rows["expression"]])
    return SimpleNamespace(
        rows=rows, size=32, tensor=lambda index: tensor[index], landmarks=lambda index: landmarks[index],
        labels=lambda index: labels[index], people=splits.people(rows),
    )  # fmt: skip


def summary(found):
    return summarise(recognition.scores([found], "toy")).set_index("metric")


def test_the_cnn_learns_an_easy_set_on_new_people():
    found = recognition.cross_validate(toy_table(), folds=2, epochs=25)
    about, mean = found.facts(), summary(found).loc["accuracy", "value"]
    assert mean > 0.8 and about["chance"] == pytest.approx(1 / 3)
    assert about["confusion"].sum() == about["faces"] == 36 and about["people"] == 6 and about["runs"] == 2
    assert about["classes"] == list(KINDS) and len(found.losses) == 2 and len(found.losses[0]) == 25
    assert about["confusion"].trace() / 36 == pytest.approx(mean), "folds of equal size"


def test_the_landmark_classifier_too_and_over_seeds():
    found = recognition.cross_validate(toy_table(), folds=3, seeds=2, classifier="landmarks")
    own = summary(found)
    assert own.loc["accuracy", "seeds"] == 6 and own.loc["accuracy", "value"] > 0.8 and not found.losses
    runs = [
        balanced_accuracy_score(part["expression"], part["named"])
        for _, part in found.answers.groupby(["seed", "fold"])
    ]
    assert own.loc["balanced", "value"] == pytest.approx(np.mean(runs))
    assert own.loc["balanced", "deviation"] == pytest.approx(np.std(runs, ddof=1))


def test_the_same_seed_gives_the_same_result():
    one, two = (recognition.cross_validate(toy_table(4), folds=2, epochs=2) for _ in range(2))
    assert one.answers.equals(two.answers) and one.losses == two.losses


def test_mixed_people_are_refused(monkeypatch):
    table = toy_table(4)
    leaky = lambda rows, k, seed: None  # noqa: E731
    monkeypatch.setattr(splits, "kfold", leaky)
    monkeypatch.setattr(splits, "assign", lambda rows, split: np.arange(len(rows)) % 2)
    with pytest.raises(SubjectLeak):
        recognition.cross_validate(table, folds=2, epochs=1)


def test_one_frame_of_each_expression_in_a_sequence_is_used():
    rows = pd.DataFrame(
        {
            "dataset": "d", "subject": "a", "file_name": [f"{i}.png" for i in range(8)],
            "sequence": ["1", "1", "1", "1", "1", "2", "", ""],
            "frame": [0, 1, 7, 8, 9, 0, 0, 0],
            "expression": ["neutral", "neutral", "anger", "anger", "anger", "neutral", "neutral", "neutral"],
            "intensity": [0, 0, 0.8, 0.9, 1.0, 0, np.nan, np.nan],
        }
    )  # fmt: skip
    assert recognition.usable(rows).tolist() == [0, 4, 5, 6, 7], "first neutral, last peak; without sequences all"
    rows.loc[4, "intensity"] = 0.3
    assert 4 not in recognition.usable(rows), "anger at 0.3 cannot be seen"
    rows.loc[5, "expression"] = None
    assert 5 not in recognition.usable(rows), "no label, among labelled ones"
    rows["expression"] = None
    assert not len(recognition.usable(rows)), "no label"


def test_wrong_arguments():
    with pytest.raises(FersynError, match="classifier 'forest' is unknown"):
        recognition.cross_validate(toy_table(2), classifier="forest")
    with pytest.raises(FersynError, match="1 people"):
        recognition.cross_validate(toy_table(1))
    for wrong, message in (
        ({"seeds": 0}, "seeds = 0: at least 1"),
        ({"epochs": 0}, "epochs = 0"),
        ({"folds": 1}, "folds = 1: at least 2"),
    ):
        with pytest.raises(FersynError, match=message):
            recognition.cross_validate(toy_table(4), **wrong)
    assert not recognition.possible(toy_table(1).rows) and recognition.possible(toy_table(2).rows)
