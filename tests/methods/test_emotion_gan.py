from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from fersyn import editing, methods
from fersyn.building import inverted
from fersyn.errors import FersynError, NoFace
from fersyn.expressions import EXPRESSIONS
from fersyn.generating import inversion
from fersyn.methods import emotion_gan
from fersyn.nets import expression_mapper, instruments, mobile_stylegan
from fersyn.pixels import to_bytes
from fersyn.training import loop, runs
from tests.generating.test_inversion import small  # noqa: F401 (a fixture)

METHOD = methods.get("emotion-gan")
HERE = not mobile_stylegan.missing() and instruments.available("actions")
needs_weights = pytest.mark.skipif(not HERE, reason="the weights of the generator or the meter are not here")


@pytest.fixture
def made(small, monkeypatch):  # noqa: F811
    """An inverter of a small generator in the place of the kit's."""
    inversion.get.cache_clear()
    monkeypatch.setattr(inversion, "makers", lambda: (None, None))
    monkeypatch.setattr(inversion, "Inverter", lambda generator, settings: small(settings))
    yield inversion.get(0)
    inversion.get.cache_clear()


def planted(directions, people=12, noise=0.1, seed=0):
    """Codes of people whose expressions go along given directions: a `Codes` without faces."""
    rng, batch = np.random.default_rng(seed), emotion_gan.Codes.__new__(emotion_gan.Codes)
    own = rng.standard_normal((people, len(next(iter(directions.values())))))
    batch.labels, who = np.repeat(list(directions), people), np.tile(np.arange(people), len(directions))
    batch.before, batch.people = own[who], np.array([f"p{k}" for k in who])
    batch.after = own[who] + np.array([directions[label] for label in batch.labels])
    batch.after += noise * rng.standard_normal(batch.after.shape)
    batch.moved = np.eye(136)[batch.labels]  # each expression moves a landmark of its own
    return batch


def fitted(batch, made, **settings):
    config = METHOD.preset("smoke", **settings)
    networks = METHOD.networks(config)
    losses = METHOD.step(config, networks, {}, batch, None, 0)
    return networks["axes"], losses


def directions_of(made, *labels, length=4.0):
    wide = len(emotion_gan.STYLES) * made.generator.width
    found = np.random.default_rng(5).standard_normal((len(labels), wide))
    return {label: length * way / np.linalg.norm(way) for label, way in zip(labels, found, strict=True)}


@pytest.mark.parametrize("axes", ["glm", "landmarks"])
def test_a_planted_direction_is_found(made, axes):
    ways = directions_of(made, 1, 5)
    found, losses = fitted(planted(ways), made, axes=axes)
    normal, reach = found.directions()
    assert found.known() == [1, 5] and losses["wrong happiness"] <= 0.1
    for label, way in ways.items():
        cosine = float(normal[label].flatten() @ torch.tensor(way / 4, dtype=torch.float32))
        assert cosine > 0.9, (axes, label, cosine)
        assert abs(float(normal[label].norm()) - 1) < 1e-5
        assert abs(float(reach[label]) - 4 * cosine) < 0.3


def test_axes_at_right_angles(made):
    ways = directions_of(made, 1, 5)
    ways[5] = 0.5 * ways[1] + ways[5]
    axes, _ = fitted(planted(ways), made)
    plain, upright = axes.directions()[0].flatten(1), axes.directions(orthogonal=True)[0].flatten(1)
    assert plain[1] @ plain[5] > 0.2
    assert abs(upright[1] @ upright[5]) < 1e-5
    assert upright[1] @ plain[1] > 0.9 and upright[5] @ plain[5] > 0.9


def test_expressions_that_too_few_show(made, capsys):
    batch = planted(directions_of(made, 1, 5))
    keep = ~((batch.labels == 5) & (batch.people != "p0"))
    for name in ("before", "after", "labels", "people", "moved"):
        setattr(batch, name, getattr(batch, name)[keep])
    axes, losses = fitted(batch, made)
    assert axes.known() == [1] and "happiness (1)" in capsys.readouterr().err
    assert set(losses) == {"wrong anger"}
    editor = METHOD.synthesiser(METHOD.preset("smoke"), {"axes": axes})
    assert editor.expressions == ("anger",)
    with pytest.raises(FersynError, match="no axis for happiness"):
        editor.edit(torch.zeros(1, 3, 64, 64), "happiness", 1.0, None, torch.rand(1, 68, 2))
    batch.labels[:] = 0
    with pytest.raises(FersynError, match="finds no expression that 2 training people show"):
        fitted(batch, made)


def test_trained_like_every_method(made, small_table, tmp_path):
    config = METHOD.preset("smoke")
    whole = loop.train(METHOD, config, small_table, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loop.Training, "take", lambda self, batch: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            loop.train(METHOD, config, small_table, tmp_path / "stopped")
    loop.train(METHOD, config, small_table, tmp_path / "stopped", resume=True)
    states = [
        torch.load(tmp_path / run / "checkpoint.pt", weights_only=True)["networks"] for run in ("whole", "stopped")
    ]
    for name, value in states[0]["axes"].items():
        assert torch.equal(value, states[1]["axes"][name])
    editor = runs.load(whole)
    assert set(editor.expressions) == {name for name in EXPRESSIONS[1:] if name != "contempt"}
    faces, points = small_table.tensor([0]), torch.from_numpy(small_table.landmarks([0]))
    still, moved = (editor.edit(faces, "happiness", degree, None, points) for degree in (0.0, 1.0))
    again = made.faces(made(faces, points), points, small_table.size)
    torch.testing.assert_close(still, again, atol=1e-4, rtol=0)
    assert (moved - still).abs().max() > 1e-3
    assert editor.edit(faces[:0], [], 1.0, None, points[:0]).shape == (0, 3, 128, 128)


def test_axes_of_another_generator_are_refused(made):
    axes, _ = fitted(planted(directions_of(made, 1)), made)
    axes.generator[0] += 1
    with pytest.raises(FersynError, match="W\\+ of another generator"):
        METHOD.synthesiser(METHOD.preset("smoke"), {"axes": axes})


def test_a_face_is_inverted_once(made, monkeypatch, small_table):
    axes, _ = fitted(planted(directions_of(made, 1)), made)
    editor, calls = METHOD.synthesiser(METHOD.preset("smoke"), {"axes": axes}), []
    inner = type(made)._codes
    monkeypatch.setattr(
        type(made), "_codes", lambda self, faces, points: calls.extend(faces) or inner(self, faces, points)
    )
    faces, points = small_table.tensor([0, 1]), torch.from_numpy(small_table.landmarks([0, 1]))
    for degree in (0.2, 0.6, 1.0):
        editor.edit(faces, "anger", degree, None, points)
    assert len(calls) == 2
    monkeypatch.setattr(emotion_gan, "KEPT", 1)
    editor.edit(small_table.tensor([2]), "anger", 1.0, None, points[:1])
    assert len(calls) == 3 and len(editor._kept) == 1


def in_profile(points):
    turned = points.clone()
    turned[27:36, 0] = turned[36:42, 0].mean()
    return turned


def test_faces_in_profile_stay_and_are_counted(made, small_table, capsys):
    axes, _ = fitted(planted(directions_of(made, 1)), made)
    editor = METHOD.synthesiser(METHOD.preset("smoke"), {"axes": axes})
    faces, points = small_table.tensor([0, 1, 2]), torch.from_numpy(small_table.landmarks([0, 1, 2]))
    points[1] = in_profile(points[1])
    changed = editor.edit(faces, "anger", 1.0, None, points)
    assert torch.equal(changed[1], faces[1]) and not torch.equal(changed[2], faces[2])
    assert "1 of 3 faces cannot be inverted and stay as they are: the face is turned" in capsys.readouterr().err
    with pytest.raises(NoFace, match="in profile"):
        editor.edit(faces[1:2], "anger", 1.0, None, points[1:2])


def test_photographs_with_no_face_several_and_one_in_profile(made, portrait, tmp_path, monkeypatch):
    axes, _ = fitted(planted(directions_of(made, 1)), made)
    editor, half = METHOD.synthesiser(METHOD.preset("smoke"), {"axes": axes}), portrait.shape[1]

    def edited(name, image):
        Image.fromarray(image).save(tmp_path / name)
        told = editing.edit_file(tmp_path / name, editing.Asked(editor, "anger"), tmp_path / "out.png")
        after = np.asarray(Image.open(tmp_path / "out.png").convert("RGB"))
        return told, [(part != 0).any() for part in np.split((after != image).any(2), [half], 1)]

    with pytest.raises(NoFace, match="wall.png: no face found"):
        edited("wall.png", np.full((240, 320, 3), 120, np.uint8))
    both = np.concatenate([portrait, portrait[:, ::-1]], 1)
    told, changed = edited("two.png", both)
    assert "2 faces now anger" in told and changed == [True, True]
    inner = editing.find

    def turned(*asked):
        left, right = inner(*asked)
        points = in_profile(torch.from_numpy(right.landmarks)).numpy()
        return [left, replace(right, landmarks=points)]

    monkeypatch.setattr(editing, "find", turned)
    told, changed = edited("two.png", both)
    assert "1 face now" in told and "face 2 stays as it is: the face is turned too far" in told
    assert changed == [True, False]


def test_back_to_neutral_along_the_axis_that_was_gone(made):
    ways = directions_of(made, 1, 5)
    axes, _ = fitted(planted(ways), made)
    editor, encoder = METHOD.synthesiser(METHOD.preset("smoke"), {"axes": axes}), made.encoder
    white = torch.zeros(1, made.generator.styles, made.generator.width)
    first, last = emotion_gan.STYLES.start, emotion_gan.STYLES.stop
    way = torch.tensor(ways[5], dtype=torch.float32).unflatten(0, (last - first, -1))
    white[:, first:last] = axes.calm.detach() + way
    calmed = encoder.whitened(editor.moved(encoder.layers(white), 0, 1.0))[:, first:last] - axes.calm.detach()
    assert calmed.norm() < 0.5 * way.norm()
    outside = [style for style in range(made.generator.styles) if not first <= style < last]
    moved = encoder.whitened(editor.moved(encoder.layers(white), 1, 1.0))
    torch.testing.assert_close(moved[:, outside], white[:, outside], atol=1e-4, rtol=0)


def test_who_is_chosen(small_table):
    rows = inverted.strongest(small_table, 0)
    people = small_table.people_of("train")
    assert set(small_table.people[rows]) == people and len(rows) == 7 * len(people)
    assert len(set(small_table.people[inverted.strongest(small_table, 2)])) == 2
    twice = SimpleNamespace(
        labels=lambda: np.array([0, 0, 5, 5]), intensities=lambda: np.array([0, 0, 0.4, 1.0]),
        people=np.array(["a"] * 4), rows=small_table.rows.iloc[:4].assign(split="train"),
    )  # fmt: skip
    assert inverted.strongest(twice, 0).tolist() == [0, 3]


def test_what_faces_are_no_faces_is_skipped(made, small_table, monkeypatch, capsys):
    monkeypatch.setattr(inverted, "refusals", lambda landmarks: {1: "the landmarks do not form a face"})
    monkeypatch.setattr(inverted, "kept_at", lambda table, inverter: table.path / ".fersyn" / "elsewhere.safetensors")
    codes = emotion_gan.Codes(METHOD.preset("smoke"), small_table, "cpu")
    assert len(codes.after) == len(set(small_table.people[inverted.strongest(small_table, 0)])) * 6 - 1
    assert "cannot be inverted" in capsys.readouterr().err


def test_guides_and_settings(monkeypatch):
    assert METHOD.guides(METHOD.preset("laptop")) == ()
    assert METHOD.guides(METHOD.preset("laptop", transfer=True)) == ("actions",)
    with monkeypatch.context() as patched:  # to name them, no network is read
        patched.setattr(emotion_gan, "makers", None)
        assert METHOD.guides(METHOD.preset("laptop", axes="mapper", refinement=2)) == expression_mapper.GUIDES
    with pytest.raises(FersynError, match="axes is 'pca'"):
        METHOD.preset("laptop", axes="pca")
    with pytest.raises(FersynError, match="one: all axes"):
        METHOD.preset("laptop", steps=10)


@needs_weights
def test_the_mapper_as_axes_and_the_photograph_as_it_is(small_table):
    config = METHOD.preset("smoke", axes="mapper", transfer=True)
    assert {"fer", "facex", "actions"} <= set(METHOD.guides(config)) and METHOD.networks(config) == {}
    editor = METHOD.synthesiser(config, {})
    faces, points = small_table.tensor([0]), torch.from_numpy(small_table.landmarks([0]))
    assert torch.equal(editor.edit(faces, "happiness", 0.0, None, points), faces)
    meter = instruments.get("actions")
    smile = instruments.ACTIONS.index("mouthSmileLeft")
    strengths = [0.0, 0.25, 0.5, 0.75, 1.0]
    made = torch.cat([editor.edit(faces, "happiness", strength, None, points) for strength in strengths])
    smiled = meter.measured(made)[:, smile]
    assert (np.diff(smiled) > -0.02).all() and smiled[-1] - smiled[0] > 0.4, smiled
    assert torch.equal(made[-1][:, -8:, :8], faces[0, :, -8:, :8]), "beside the face nothing changes"
    grey = faces.mean(1, keepdim=True).expand(-1, 3, -1, -1).contiguous()
    made = editor.edit(grey, "surprise", 1.0, None, points)
    assert np.ptp(to_bytes(made).numpy().astype(int), axis=1).max() <= 2, "a grey photograph stays grey"
    assert (made - grey).abs().max() > 0.3
