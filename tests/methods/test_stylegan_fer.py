import numpy as np
import pytest
import torch

from fersyn import methods
from fersyn.errors import FersynError, NoFace
from fersyn.expressions import EXPRESSIONS
from fersyn.faces.crop import Face, ffhq_alignment
from fersyn.methods import stylegan_fer
from fersyn.methods.stylegan_fer import SPLITS, Mixer, Split, best
from fersyn.nets import mobile_stylegan
from fersyn.table import FaceTable
from fersyn.training import loop, runs
from tests.generating.test_inversion import small  # noqa: F401 (a fixture)
from tests.methods.test_emotion_gan import made as made_small  # noqa: F401 (a fixture)

METHOD = methods.get("stylegan-fer")
needs_weights = pytest.mark.skipif(bool(mobile_stylegan.missing()), reason="the weights of the generator are not here")


@pytest.fixture
def made(made_small, monkeypatch, small_table):  # noqa: F811
    """A small generator's inverter in the place of the kit's; whatever it draws is a face, and its colours say whose."""
    points = small_table.landmarks([0])[0]

    def crop(picture, size):
        cut = ffhq_alignment(len(picture), size)
        return Face(cut.warp(picture), points, cut, None)

    monkeypatch.setattr(stylegan_fer, "crop_face", crop)
    monkeypatch.setattr(stylegan_fer, "describe", lambda images, _: np.stack([whose(image) for image in images]))
    monkeypatch.setattr(stylegan_fer, "EPOCHS", 2)
    return made_small


def whose(image):
    return np.tile(image[::8, ::8].astype(float).ravel()[:64] / 255, 2)


def planted(people=6, styles=23, width=8, seed=0):
    """A mixer of people whose smile (5) goes one way, in the styles of 16 px alone."""
    rng = np.random.default_rng(seed)
    mixer, way = Mixer(people, styles, width), np.zeros((styles, width))
    way[4:7] = rng.standard_normal((3, width))
    own = rng.standard_normal((people, styles, width)) * 0.3
    white = np.concatenate([own, own + way + 0.01 * rng.standard_normal(own.shape)])
    labels, names = np.repeat([0, 5], people), np.tile([f"p{k}" for k in range(people)], 2)
    mixer.keep(torch.from_numpy(white).float(), labels, names)
    return mixer, torch.from_numpy(way).float()


LEVELS = torch.tensor([4] + [side for side in (8, 16, 32, 64, 128, 256, 512) for _ in range(3)] + [1024])


def test_styles_are_exchanged():
    mixer, _ = planted()
    new = torch.randn(2, 23, 8)
    mixed, inside = mixer.mixed(new, torch.tensor([6, 7]), Split(8, 32), LEVELS), (LEVELS >= 8) & (LEVELS <= 32)
    assert torch.equal(mixed[:, ~inside], new[:, ~inside])
    assert torch.equal(mixed[:, inside], mixer.white[6:8, inside].float())


def test_the_planted_direction_is_what_passes_over():
    mixer, way = planted()
    new, calm = torch.randn(1, 23, 8), mixer.calm()
    for gain in (1.0, 2.0):
        split = Split(8, 32, 1, gain)
        inside = (LEVELS >= split.low) & (LEVELS <= split.high)
        mixed = mixer.mixed(new, torch.tensor([8]), split, LEVELS)
        along = way[inside].flatten() / way.norm()
        assert torch.equal(mixed[:, ~inside], new[:, ~inside])
        beyond = float((mixed[0] - calm)[inside].flatten() @ along)
        shown = float((mixer.white[8].float() - calm)[inside].flatten() @ along)
        assert beyond == pytest.approx(gain * shown, rel=0.02)
        rest = (mixed - new)[0, inside].flatten()
        assert (rest - (rest @ along) * along).norm() < 0.05 * rest.norm(), "across it the new person stays"


def test_the_best_split():
    curve = torch.full((len(SPLITS), 3), -1.0)
    curve[:4] = torch.tensor([(0.9, 0.4, 0.5), (0.6, 0.7, 0.96), (0.7, 0.6, 0.95), (0.2, 0.8, 1.0)])
    assert best(curve) == 2, "the best named of those that leave strangers"
    curve[:4, 2] -= 0.5
    assert best(curve) == 3, "otherwise the one that leaves most"


def test_trained_like_every_method(made, small_table, resumed, monkeypatch):
    config = METHOD.preset("smoke")
    whole = resumed(METHOD, config, small_table, (1, 2))
    log = (whole / "log.csv").read_text().splitlines()
    assert len(log) == 1 + config.steps and {"named", "distance", "strangers"} <= set(log[0].split(","))
    drawing = runs.load(whole)
    curve = drawing.curve()
    assert [own["name"] for own in curve] == [split.name for split in SPLITS[: config.steps - 1]]
    assert sum(own["taken"] for own in curve) == 1
    assert drawing.draws_people and "contempt" not in drawing.expressions
    faces, labels = drawing.sample(3, ["neutral", "happiness", "fear"], seed=4)
    assert faces.shape == (3, 3, 64, 64) and faces.abs().max() <= 1
    assert [EXPRESSIONS[k] for k in labels] == ["neutral", "happiness", "fear"]
    assert torch.equal(drawing.sample(3, ["neutral", "happiness", "fear"], seed=4)[0], faces)
    assert torch.equal(drawing.sample(2, ["neutral", "happiness"], seed=4)[0], faces[:2])
    assert not torch.equal(drawing.sample(3, ["neutral", "happiness", "fear"], seed=5)[0], faces)
    assert drawing.sample(0, [])[0].shape == (0, 3, 64, 64)
    with pytest.raises(FersynError, match="nobody with contempt"):
        drawing.sample(1, "contempt")
    with pytest.raises(FersynError, match="edits no faces"):
        drawing.edit(faces, "happiness")
    monkeypatch.setattr(stylegan_fer, "crop_face", lambda picture, size: (_ for _ in ()).throw(NoFace("none")))
    with pytest.raises(FersynError, match="no face in 5 pictures"):
        drawing.sample(1, "fear")


def test_the_recogniser_and_the_mixed_faces_share_nobody(made, small_table):
    codes = stylegan_fer.Codes(METHOD.preset("smoke"), small_table, "cpu")
    tried = codes.tried(1)
    assert set(codes.people[codes.first]).isdisjoint(codes.people[tried])
    assert sorted(codes.labels[tried]) == sorted(set(codes.labels.tolist()))
    assert set(codes.people) <= small_table.people_of("train")


def only(table, names):
    rows = table.rows[table.rows["expression"].isin(names)].reset_index(drop=True)
    return FaceTable(table.path, rows, table.info, table.skipped)


@pytest.mark.parametrize("names", [["neutral"], ["happiness", "fear"]])
def test_a_table_without_expressions_or_without_neutral_faces_is_refused(
    made, small_table, tmp_path, names, monkeypatch
):
    monkeypatch.setattr(
        stylegan_fer.inverted, "kept_at", lambda table, inverter: tmp_path / f"{len(table)}.safetensors"
    )
    with pytest.raises(FersynError, match="0 of its training people.*needs two"):
        loop.train(METHOD, METHOD.preset("smoke"), only(small_table, names), tmp_path / "run")


def test_codes_of_another_generator_and_unfinished_trainings_are_refused(made):
    config = METHOD.preset("smoke")
    networks = METHOD.networks(config)
    unfinished = METHOD.synthesiser(config, networks)
    assert not unfinished.draws_people
    with pytest.raises(FersynError, match="not done"):
        unfinished.sample(1, "fear")
    networks["mixer"].generator[0] += 1
    with pytest.raises(FersynError, match="W\\+ of another generator"):
        METHOD.synthesiser(config, networks)


def test_settings():
    assert METHOD.preset("paper").steps == 1 + len(SPLITS)
    with pytest.raises(FersynError, match="steps is 99"):
        METHOD.preset("laptop", steps=99)


@needs_weights
def test_with_the_true_generator_a_new_person_smiles(small_table, tmp_path):
    run = loop.train(METHOD, METHOD.preset("smoke"), small_table, tmp_path / "run")
    faces, _ = runs.load(run).sample(2, "happiness")
    assert faces.shape == (2, 3, 64, 64) and faces.std() > 0.2
