import numpy as np

from fersyn.rendering import landmarks
from fersyn.rendering.rig import load_rig


def test_template_landmarks_are_mirror_images():
    points = landmarks.points(load_rig().template)
    np.testing.assert_allclose(points[landmarks.MIRROR] * [-1, 1, 1], points, atol=1.5)


def test_mirror_is_its_own_inverse():
    assert (landmarks.MIRROR[landmarks.MIRROR] == np.arange(68)).all()


def test_order_is_that_of_ibug():
    x, _, z = landmarks.points(load_rig().template).T
    assert (np.diff(x[0:17]) > 0).all() and z[8] == z[:17].min()  # jaw from the subject's right, chin lowest
    assert (np.diff(x[17:27]) > 0).all() and z[17:27].min() > 5  # brows above the eyes
    assert (np.diff(z[27:31]) < 0).all()  # nose downwards
    assert (np.diff(x[31:36]) > 0).all()
    assert (np.diff(x[36:40]) > 0).all() and (np.diff(x[42:46]) > 0).all()
    assert z[37] > z[41] and z[44] > z[46]
    assert (np.diff(x[48:55]) > 0).all() and (np.diff(x[54:60]) < 0).all()
    assert z[51] > z[62] > z[66] > z[57]


def test_landmarks_follow_the_actions():
    rig = load_rig()
    rest = landmarks.points(rig.template)
    opened = landmarks.points(rig.pose(rig.template, {"jawOpen": 0.8}))
    gap = (rest[62] - rest[66])[2], (opened[62] - opened[66])[2]
    assert gap[0] < 3 and gap[1] > 15  # mm between the inner lips
    smiling = landmarks.points(rig.pose(rig.template, {"mouthSmileLeft": 1.0}))
    assert smiling[54, 2] > rest[54, 2] + 4 and abs(smiling[48, 2] - rest[48, 2]) < 1  # the left corner alone rises
