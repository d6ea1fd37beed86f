import numpy as np
import pytest
import torch

from fersyn.errors import FersynError, SubjectLeak
from fersyn.evaluation import measure, protocol
from fersyn.evaluation.scores import summarise
from fersyn.methods.copy import CopySource
from fersyn.methods.warp import Warp
from fersyn.pixels import to_bytes
from fersyn.training import runs


class Perfect:
    """Knows the answers."""

    name, needs_landmarks, size, guides = "perfect", True, 128, ()

    def __init__(self, pairs, chosen):
        self.answers, self.asked = iter(pairs.gather(chosen).target.split(protocol.BATCH)), []

    def edit(self, faces, expression, intensity=1.0, landmarks=None, source_landmarks=None):
        self.asked += list(zip(expression, landmarks, strict=True))
        return next(self.answers)


def test_the_targets_landmarks_are_given_and_people_averaged(small_table):
    pairs, chosen = protocol.measured_pairs(small_table, everybody=True)
    assert len(chosen) == 4 * 6, "of each of the four people the six expressions besides neutral, once"
    perfect, true = Perfect(pairs, chosen), measure.truth(pairs, chosen)
    names = ["psnr", "ssim", "st_lpips"]
    measured = measure.evaluate({"copy": CopySource(128), "perfect": perfect}, true, names)
    labels = small_table.rows["expression"].to_numpy()
    assert len(perfect.asked) == len(chosen)
    for (name, points), (_, target) in zip(perfect.asked, chosen, strict=True):
        assert name == labels[target]
        assert np.allclose(points.numpy(), small_table.landmarks([target])[0], atol=1e-4)
    frame = measured.frame("copy")
    assert list(frame["person"]) == list(small_table.people[frame["target"]])
    assert (frame["psnr"] < 60).all() and (measured.frame("perfect")["ssim"] > 0.9999).all()

    table = summarise(measured.scores).set_index(["method", "metric"])
    means = frame.groupby("person")["ssim"].mean()
    copied = table.loc[("copy", "ssim")]
    assert copied["value"] == pytest.approx(means.mean())
    assert copied["people_deviation"] == pytest.approx(np.std(means, ddof=1))
    assert copied["people"] == 4 and copied["pictures"] == 24
    assert table.loc[("perfect", "st_lpips"), "value"] < 1e-6


def test_pairs_are_edited_some_at_a_time_and_rounded(small_table):
    pairs, chosen = protocol.measured_pairs(small_table, everybody=True)
    bent = Warp(128)
    whole = protocol.edited(bent, pairs.gather(chosen[:5]))
    assert torch.equal(protocol.edited_pairs(bent, pairs, chosen[:5], batch=2), to_bytes(whole))


def test_only_held_out_people_unless_asked_otherwise(small_table):
    pairs, chosen = protocol.measured_pairs(small_table)
    assert set(small_table.rows["split"].iloc[chosen.ravel()]) == {"test"}


def test_a_table_without_a_test_side_is_refused(small_table):
    from fersyn.table import FaceTable

    rows = small_table.rows.assign(split="train")
    with pytest.raises(FersynError, match="held out"):
        protocol.measured_pairs(FaceTable(small_table.path, rows, small_table.info, small_table.skipped))


def test_people_of_the_training_are_not_measured(tmp_path):
    runs.write_people(tmp_path, ["set/a", "set/b"])
    protocol.check_people([tmp_path], ["set/c", "other/a"])
    with pytest.raises(SubjectLeak, match="set/b"):
        protocol.check_people([tmp_path], ["set/b", "set/c"])
    with pytest.raises(FersynError, match="people.json"):
        protocol.check_people([tmp_path / "none"], ["set/c"])


class Leaky:
    """A landmark motion that tells who was left out of it, and stops where nobody was."""

    expressions = ("neutral", "happiness")

    def __init__(self, known, gone=()):
        self.known, self.gone = set(known), set(gone)

    def without(self, people):
        gone = self.known & set(people)
        return Leaky(self.known - gone, self.gone | gone) if gone else self

    def predict(self, landmarks, label, intensity=1.0, source_label=None, size=128):
        assert len(self.gone) == 1, "one person is left out, and he is the one who is edited"
        return landmarks + 1.0


def test_nobody_is_moved_by_a_motion_that_has_learnt_from_him(small_table):
    people = sorted(set(small_table.people))
    rows = np.flatnonzero(small_table.labels() == 0)[::-1]
    made = protocol.moved(Warp(128, Leaky(people)), small_table, rows, "happiness")
    assert made.shape == (4, 3, 128, 128)
    for row, face in zip(rows, made, strict=True):
        points = torch.from_numpy(small_table.landmarks([row]))
        alone = Warp(128).edit(small_table.tensor([row]), "happiness", 1.0, points + 1.0, points)[0]
        assert torch.allclose(face, alone, atol=1e-5), "in the order that was asked for"
    with pytest.raises(AssertionError, match="one person is left out"):
        protocol.moved(Warp(128, Leaky(["somebody/else"])), small_table, rows[:1], "happiness")
    assert protocol.moved(Warp(128, Leaky(people)), small_table, [], "happiness").shape == (0, 3, 128, 128)


def test_a_table_beside_another_is_another(small_table):
    assert protocol.beside(small_table, "") is None
    assert protocol.beside(small_table, small_table.path / "none") is None
    assert protocol.beside(small_table, small_table.path) is None
    other = type(small_table)(
        small_table.path, small_table.rows, {**small_table.info, "fingerprint": "0"}, small_table.skipped
    )
    assert protocol.beside(other, small_table.path).fingerprint == small_table.fingerprint
