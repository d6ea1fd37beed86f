import numpy as np

from fersyn.rendering.person import STYLES, draw_person


def fresh(*arguments):
    draw_person.cache_clear()
    return draw_person(*arguments)


def test_a_person_follows_from_seed_and_index_alone():
    first = fresh(3, 5)
    fresh(3, 4), fresh(9, 0)
    again = fresh(3, 5)
    assert first is not again
    np.testing.assert_array_equal(first.rest, again.rest)
    assert (first.hair_style, first.texture_seed, first.beard) == (again.hair_style, again.texture_seed, again.beard)
    np.testing.assert_array_equal(first.skin, again.skin)


def test_a_known_person_stays_the_same():
    person = fresh(0, 0)
    assert (person.hair_style, person.glasses) == ("crop", False)
    np.testing.assert_array_equal(person.rest[100], [-19.462, -16.914, -1.715])  # whole micrometres
    assert person.texture_seed == 274229996532927876


def test_people_differ():
    people = [fresh(0, i) for i in range(60)]
    assert len({p.texture_seed for p in people}) == 60
    assert {p.hair_style for p in people} == set(STYLES)
    tones = np.array([p.skin.mean() for p in people])
    assert tones.min() < 0.08 and tones.max() > 0.38  # linear reflectance from dark to light
    shapes = np.stack([p.rest for p in people])
    assert np.linalg.norm(shapes - shapes.mean(0), axis=-1).mean() > 1.0  # mm


def test_share_of_glasses_is_settable_and_changes_nothing_else():
    bare, all_of_them = fresh(1, 2, 0.0), fresh(1, 2, 1.0)
    assert not bare.glasses and all_of_them.glasses
    np.testing.assert_array_equal(bare.rest, all_of_them.rest)
    assert bare.texture_seed == all_of_them.texture_seed
    share = np.mean([fresh(0, i).glasses for i in range(300)])
    assert 0.09 < share < 0.21


def test_origin_lies_between_the_eyes():
    from fersyn.rendering.rig import load_rig

    assert np.abs(load_rig().eye_centre(fresh(2, 1).rest)).max() < 1e-3
