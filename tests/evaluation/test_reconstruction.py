from dataclasses import replace

import numpy as np
import torch

from fersyn.evaluation import reconstruction
from fersyn.evaluation.reconstruction import SECONDS, reconstructed
from fersyn.generating.inversion import PROJECTOR, Settings
from tests.generating.test_inversion import small  # noqa: F401 (a fixture)


class Mirror:
    """Gives back the faces that it was given, some of them darker."""

    def __init__(self, darker, guides=()):
        self.darker, self.guides, self.seen = darker, guides, []

    def __call__(self, faces, landmarks):
        self.seen.append(faces)
        return torch.zeros(1, 2, 3)

    def faces(self, codes, landmarks, size):
        assert len(codes) == len(landmarks) == len(self.seen) and size == 128
        return torch.cat(self.seen) - self.darker


def test_what_comes_back_is_compared_with_the_face_itself(small_table):
    found = reconstructed(small_table, {"same": Mirror(0.0), "dark": Mirror(0.2)}, slice(2, 6))
    rows = found.scores.rows
    assert {"psnr", "ssim", "landmark_error", "identity", SECONDS} <= set(rows["metric"])
    value = rows.pivot_table(index="metric", columns="method", values="value")
    assert (
        value.loc["identity", "same"] == 0
        and np.isinf(rows.query("method == 'same' and metric == 'psnr'")["value"]).all()
    )
    assert 18 < value.loc["psnr", "dark"] < 22 and 0 < value.loc["identity", "dark"] < 0.4
    assert value.loc["landmark_error", "dark"] < 5
    assert rows["item"].unique().tolist() == ["2-2", "3-3", "4-4", "5-5"] and not found.scores.sets
    assert found.pictures["same"][0].shape == (4, 3, 128, 128)


def test_faces_in_profile_are_skipped_and_counted(small_table, capsys, monkeypatch):
    points = small_table.landmarks().copy()
    points[3, 27:36, 0] = points[3, 36:42, 0].mean()
    monkeypatch.setattr(type(small_table), "landmarks", lambda self, index=slice(None): points[index])
    rows = reconstructed(small_table, {"same": Mirror(0.0)}, slice(2, 6)).scores.rows
    assert rows["item"].unique().tolist() == ["2-2", "4-4", "5-5"]
    assert "1 of 4 faces cannot be inverted: the face is turned too far" in capsys.readouterr().err


def test_the_ways_that_are_compared(small, monkeypatch):  # noqa: F811
    made = {steps: small(Settings(steps=steps)) for steps in (0, 3)}
    monkeypatch.setattr(reconstruction, "get", lambda steps=0: made[steps])
    ways = reconstruction.inverters(3)
    assert list(ways) == ["encoder", "encoder, 3 steps", "projector, 3 steps"]
    assert ways["projector, 3 steps"].settings == replace(PROJECTOR, steps=3)
    assert list(reconstruction.inverters(0)) == ["encoder"]


def test_an_inverter_is_measured(small_table, small):  # noqa: F811
    found = reconstructed(small_table, {"encoder": small(), "one step": small(Settings(steps=1))}, [0])
    assert set(found.scores.rows["method"]) == {"encoder", "one step"}
    assert (found.scores.of(metric=SECONDS).rows["value"] > 0).all()
