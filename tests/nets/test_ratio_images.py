import pytest
import torch

from fersyn.expressions import EXPRESSIONS
from fersyn.faces.landmarks import EYES
from fersyn.nets.ratio_images import DARK, WHITE, RatioImages, relight
from fersyn.pairs import Pairs
from fersyn.pixels import grey

SIDE = 64
ANGER, FEAR = EXPRESSIONS.index("anger"), EXPRESSIONS.index("fear")


@pytest.fixture(scope="module")
def faces(small_table):
    """Neutral faces, their landmarks, and those of the same people's angry ones."""
    pairs = Pairs(small_table, size=SIDE)
    found = pairs.gather(pairs.forward[small_table.labels(pairs.forward[:, 1]) == ANGER])
    return found.source, found.source_landmarks, found.target_landmarks


def furrowed(faces, landmarks, strength=0.4):
    """Faces with a dark line between the brows, where their landmarks have it."""
    found = faces.clone()
    for face, points in zip(found, landmarks, strict=True):
        x, y = ((points[21] + points[22]) / 2).round().int().tolist()
        face[:, y - 3 : y + 4, x - 1 : x + 2] = (face[:, y - 3 : y + 4, x - 1 : x + 2] + DARK) * (1 - strength) - DARK
    return found


@pytest.fixture(scope="module")
def learnt(faces):
    source, points, _ = faces
    found = RatioImages(SIDE)
    found.learn(ANGER, source, furrowed(source, points), points, points + 1.0)
    return found


def between(points):
    return ((points[:, 21] + points[:, 22]) / 2).round().long()


def test_a_furrow_is_learnt_and_lies_between_the_brows_of_any_face(faces):
    source, before, after = faces
    network = RatioImages(SIDE)
    network.learn(ANGER, source, furrowed(source, before), before, before)
    network.way[ANGER] = (after - before).mean(0)
    light = network(before, before + network.way[ANGER], torch.full((len(before),), ANGER))
    middle = between(before + network.way[ANGER])
    for shade, (x, y) in zip(light[:, 0], middle.tolist(), strict=True):
        assert (
            shade[y - 1 : y + 2, x - 1 : x + 2].min() < -0.15
        )  # of -0.51, less what is slow, noise, and the other people
        assert shade[y + 12 :].abs().max() < 0.05  # neither nose nor mouth has changed


def test_how_strong_it_is_is_read_off_the_landmarks(learnt, faces):
    _, points, _ = faces
    label = torch.full((len(points),), ANGER)
    full, half, back, beyond = (learnt(points, points + part, label) for part in (1.0, 0.5, -1.0, 9.0))
    assert full.abs().max() > 0.1 and back.abs().max() == 0
    assert torch.allclose(half.amin((1, 2, 3)), full.amin((1, 2, 3)) / 4, rtol=0.15)
    assert beyond.abs().max() < 1.6 * full.abs().max()
    moved = torch.stack([learnt.way[ANGER] * part for part in (0.5, 1.0, -1.0, 9.0)])
    assert learnt.strength(moved, label[:1].expand(4)).tolist() == pytest.approx([0.5, 1, 0, 1.5])
    assert learnt.strength(moved, torch.full((4,), FEAR)).tolist() == [1, 1, 1, 1]  # whose way is not known


def test_what_was_not_learnt_changes_nothing(learnt, faces):
    _, before, after = faces
    for label in (FEAR, EXPRESSIONS.index("neutral")):
        assert learnt(before, after, torch.full((len(before),), label)).abs().max() == 0


def test_the_same_left_and_right_unless_the_expression_is_one_sided(faces):
    source, points, _ = faces
    one_sided = source.clone()
    one_sided[..., : SIDE // 2] = (one_sided[..., : SIDE // 2] + DARK) * 0.8 - DARK
    network = RatioImages(SIDE)
    for name in ("anger", "contempt"):
        network.learn(EXPRESSIONS.index(name), source, one_sided, points, points)
    even, uneven = (network.ratio[EXPRESSIONS.index(name)] for name in ("anger", "contempt"))
    assert torch.allclose(even, even.flip(-1), atol=0.05)
    assert (uneven - uneven.flip(-1)).abs().max() > 0.1


def test_another_light_over_the_whole_face_is_no_fold(faces):
    source, points, _ = faces
    network = RatioImages(SIDE)
    network.learn(ANGER, source, ((source + DARK) * 0.7 - DARK).clamp(-1, 1), points, points)
    assert network.ratio.abs().max() < 0.05


def test_no_light_is_the_picture_bit_for_bit_and_grey_stays_grey():
    torch.manual_seed(0)
    images = torch.rand(2, 3, 8, 8) * 2 - 1
    light = torch.zeros(2, 1, 8, 8)
    light[:, :, 4:] = -0.3
    out = relight(images, light)
    assert torch.equal(out[:, :, :4], images[:, :, :4]) and (out[:, :, 4:] < images[:, :, 4:]).all()
    neutral = grey(images).expand(-1, 3, -1, -1)
    assert (relight(neutral, light).std(1) < 1e-6).all()


def test_light_makes_nothing_brighter_than_the_white_of_an_eye_and_shade_nothing_brighter_at_all():
    images = torch.linspace(-1, 1, 9).expand(1, 3, 1, 9)
    assert torch.equal(relight(images, torch.full((1, 1, 1, 9), 9.0)), images.clamp(min=WHITE))
    assert relight(images, torch.full((1, 1, 1, 9), -9.0)).min() == -1


def test_no_light_falls_on_an_iris_but_beside_it(faces):
    source, points, _ = faces
    network = RatioImages(SIDE)
    lit = source.clone()
    for face, each in zip(lit, points, strict=True):
        for eye in EYES:
            x, y = each[list(eye)].mean(0).round().int().tolist()
            face[:, y - 1 : y + 2, x - 5 : x + 6] += 0.5
    network.learn(ANGER, source, lit, points, points)
    for eye in EYES:
        x, y = network.shape[ANGER][list(eye)].mean(0).round().int().tolist()
        assert network.ratio[ANGER, 0, y, x] == 0 and network.ratio[ANGER, 0, y, x - 6 : x + 7].max() > 0.05


def test_they_are_kept_with_the_weights_and_learn_nothing_further(learnt):
    other = RatioImages(SIDE)
    other.load_state_dict(learnt.state_dict())
    assert torch.equal(other.ratio, learnt.ratio) and not list(learnt.parameters())


def test_what_becomes_neutral_loses_light_on_the_way_back_alone(learnt, faces):
    _, points, _ = faces
    neutral = torch.zeros(len(points), dtype=torch.long)
    angry = points + learnt.way[ANGER]
    back, still, on = learnt(angry, points, neutral), learnt(points, points, neutral), learnt(points, angry, neutral)
    assert still.abs().max() == 0 and on.abs().max() == 0
    laid = learnt(points - learnt.way[ANGER], points, neutral + ANGER)
    assert back.abs().max() > 0.05 and torch.allclose(back, -laid / 2, atol=1e-6)
