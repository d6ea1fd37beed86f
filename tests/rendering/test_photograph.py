import cv2
import numpy as np
import pytest

from fersyn.rendering import parts, photograph, rays, wrinkles
from fersyn.rendering.person import draw_person
from fersyn.rendering.scene import FRAME, Camera, draw_scene, turn_head

SMILE = {
    "mouthSmileLeft": 1.0,
    "mouthSmileRight": 1.0,
    "mouthUpperUpLeft": 0.6,
    "mouthUpperUpRight": 0.6,
    "jawOpen": 0.15,
}


@pytest.fixture(scope="module")
def scene():
    from dataclasses import replace

    drawn = draw_scene(np.random.default_rng(0))
    return replace(drawn, yaw=0.0, pitch=0.0, roll=0.0, gaze=np.zeros(2), shift=np.zeros(2), light_azimuth=20.0)


def seen_materials(person, actions, scene, monkeypatch):
    """Count of camera rays by the material that they meet."""
    caught = {}
    look = rays.World.look

    def spy(self, camera, size):
        hits = look(self, camera, size)
        caught["material"] = hits.material
        return hits

    monkeypatch.setattr(rays.World, "look", spy)
    photograph.photograph(person, actions, scene)
    counts = np.bincount(caught["material"], minlength=len(parts.MATERIALS))
    return dict(zip(parts.MATERIALS, counts, strict=True))


def test_same_call_same_picture(scene):
    person = draw_person(0, 2)
    first, second = (photograph.photograph(person, SMILE, scene).image for _ in range(2))
    assert first.shape == (FRAME, FRAME, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, second)


def test_smile_and_open_mouth_show_teeth_and_rest_does_not(scene, monkeypatch):
    person = draw_person(0, 1)
    closed = seen_materials(person, {}, scene, monkeypatch)
    smile = seen_materials(person, SMILE, scene, monkeypatch)
    opened = seen_materials(person, {"jawOpen": 0.8}, scene, monkeypatch)
    assert closed["teeth"] < 25  # of 129600 rays
    assert smile["teeth"] > 150 and opened["teeth"] > 60


def test_lips_pressed_together_never_let_teeth_through(scene, monkeypatch):
    pressed = {"mouthPressLeft": 1.2, "mouthPressRight": 1.2, "mouthRollUpper": 0.7, "mouthRollLower": 0.7}
    for index in range(6):
        assert seen_materials(draw_person(0, index), pressed, scene, monkeypatch)["teeth"] < 40


def test_glasses_lashes_and_hair_are_seen(scene, monkeypatch):
    wearer, bare = (seen_materials(draw_person(0, 2, share), {}, scene, monkeypatch) for share in (1.0, 0.0))
    assert wearer["frame"] > 300 and bare["frame"] == 0
    assert bare["hair"] > 3000
    wide = seen_materials(draw_person(0, 11), {"eyeWideLeft": 1.0, "eyeWideRight": 1.0}, scene, monkeypatch)
    assert wide["lash"] > 50


def test_furrows_come_with_their_actions_on_their_side():
    person = draw_person(0, 2)
    calm = wrinkles.relief(person, {})
    frown = wrinkles.relief(person, {"browDownLeft": 1.0, "browDownRight": 1.0})
    one_sided = wrinkles.relief(person, {"mouthDimpleLeft": 1.0})
    middle = calm.shape[1] // 2
    assert (calm - frown).max() > 0.4  # mm deeper somewhere
    change = np.abs(one_sided - calm)
    assert change[:, middle + 12 :].max() > 0.4 and change[:, : middle - 12].max() < 1e-6


def test_age_deepens_the_resting_face():
    people = sorted((draw_person(0, i) for i in range(12)), key=lambda p: p.age)
    depth = [wrinkles.relief(p, {}).std() for p in (people[0], people[-1])]
    assert depth[1] > 2 * depth[0]


@pytest.mark.parametrize(
    ("gaze", "wanted"),
    [
        ((0.0, -0.1), {"eyeLookDownLeft": 0.55, "eyeLookDownRight": 0.55}),
        ((0.0, 0.1), {"eyeLookDownLeft": 0.35, "eyeLookDownRight": 0.35}),
        ((0.0, 0.6), {"eyeLookUpLeft": 0.15, "eyeLookUpRight": 0.15}),
        ((0.2, 0.0), {"eyeLookDownLeft": 0.45, "eyeLookDownRight": 0.45, "eyeLookOutLeft": 0.2, "eyeLookInRight": 0.2}),
    ],
)
def test_the_scenes_gaze_adds_to_the_displays_own(scene, gaze, wanted):
    from dataclasses import replace

    sad = {"eyeLookDownLeft": 0.45, "eyeLookDownRight": 0.45, "mouthFrownLeft": 1.0}
    both = photograph._with_gaze(sad, replace(scene, gaze=np.array(gaze)))
    assert both.pop("mouthFrownLeft") == 1.0
    assert {name: value for name, value in both.items() if value} == pytest.approx(wanted)


def test_camera_projects_where_its_rays_go(scene):
    camera = Camera(scene, np.array([0.0, -20.0, -28.0]))
    rays = camera.rays(64).reshape(64, 64, 3)
    points = camera.origin + rays[[10, 50], [20, 33]] * 700
    np.testing.assert_allclose(camera.project(points, 64), [[20, 10], [33, 50]], atol=1e-3)


def test_turned_head_leaves_the_shoulders(scene):
    from dataclasses import replace

    points = np.array([[0.0, -30, 0], [120.0, 60, -240]])
    turned = turn_head(points, replace(scene, yaw=20.0))
    assert turned[0, 0] > 20  # the nose goes to the subject's left (+x)
    np.testing.assert_allclose(turned[1], points[1])


def test_light_from_the_left_lights_the_left(scene):
    from dataclasses import replace

    person = draw_person(0, 1)
    halves = []
    for azimuth in (-60.0, 60.0):
        image = photograph.photograph(person, {}, replace(scene, light_azimuth=azimuth)).image
        face = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[90:150, 72:152].astype(float)
        halves.append(face[:, 40:].mean() - face[:, :40].mean())  # +x, the subject's left, is the picture's right
    assert halves[0] < -8 and halves[1] > 8


def test_both_rows_of_teeth_face_the_lips():
    person = draw_person(0, 2)
    for mesh in parts.teeth(person, person.rest):
        corners = mesh.vertices[mesh.triangles]
        assert np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 1].mean() < 0
