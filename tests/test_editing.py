"""`fersyn edit` with a synthesiser that only tints: what matters here is finding, pasting back and refusing."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fersyn.editing import edit_file, face_mask, find, save
from fersyn.errors import FersynError, NoFace, UnreadablePhoto
from fersyn.expressions import EXPRESSIONS
from fersyn.methods.warp import Warp


class Tint:
    """Synthesiser that makes faces redder, by the intensity."""

    name, needs_landmarks, size, motion = "tint", False, 128, None
    expressions = EXPRESSIONS[1:]

    def edit(self, faces, expression, intensity=1.0, landmarks=None, source_landmarks=None):
        """See `Synthesiser.edit`."""
        out = faces.clone()
        out[:, 0] = (out[:, 0] + 0.5 * intensity).clamp(-1, 1)
        return out


def saved(path, image, **extra):
    Image.fromarray(image).save(path, **extra)
    return path


def changed(before, after):
    """Mask of the pixels that differ."""
    return np.abs(before.astype(int) - after.astype(int)).max(-1) > 0


def read(path):
    return np.asarray(Image.open(path).convert("RGB"))


def test_face_changes_and_the_rest_stays_bit_for_bit(tmp_path, portrait):
    photo = saved(tmp_path / "a.png", portrait)
    notes = edit_file(photo, Tint(), tmp_path / "out.png", "happy", 0.6)
    mask = changed(portrait, read(tmp_path / "out.png"))
    assert 0.1 < mask.mean() < 0.8 and "1 face now happiness at 60%" in notes[-1]
    rows, columns = np.nonzero(mask)
    assert rows.min() > 0 and columns.min() > 0  # the border is the photograph's


def test_no_seam_at_the_paste(tmp_path, portrait):
    """The mask fades out: neighbouring pixels of the difference never jump."""
    photo = saved(tmp_path / "a.png", portrait)
    edit_file(photo, Tint(), tmp_path / "out.png", "happy", 1.0)
    difference = read(tmp_path / "out.png").astype(int)[..., 0] - portrait[..., 0]
    face = find(portrait, "a.png", 128)[0]
    weight = face_mask(face)
    assert weight.max() > 0.99 and weight[0].max() == weight[:, 0].max() == 0
    assert max(np.abs(np.diff(weight, axis=axis)).max() for axis in (0, 1)) < 0.25  # four pixels from none to all
    assert difference.max() > 30


def test_two_faces_all_or_one(tmp_path, portrait):
    both = np.concatenate([portrait, portrait[:, ::-1]], 1)
    photo, half = saved(tmp_path / "two.png", both), portrait.shape[1]
    assert "2 faces" in edit_file(photo, Tint(), tmp_path / "all.png", "anger")[-1]
    left, right = np.split(changed(both, read(tmp_path / "all.png")), [half], 1)
    assert left.any() and right.any()
    edit_file(photo, Tint(), tmp_path / "second.png", "anger", face=2)
    left, right = np.split(changed(both, read(tmp_path / "second.png")), [half], 1)
    assert right.any() and not left[:, : half // 2].any()
    with pytest.raises(FersynError, match=r"--face 3: two.png shows 2 faces"):
        edit_file(photo, Tint(), tmp_path / "third.png", "anger", face=3)


def test_no_face_says_what_helps(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    with pytest.raises(NoFace, match=r"wall.png: no face found \(320x240 px\).*from the front"):
        edit_file(saved(tmp_path / "wall.png", noise), Tint(), tmp_path / "out.png", "happy")
    assert not (tmp_path / "out.png").exists()


def test_cartoon_is_refused(tmp_path):
    picture = Image.new("RGB", (400, 400), "white")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((60, 40, 340, 360), fill="yellow", outline="black", width=6)
    for x in (150, 250):
        draw.ellipse((x - 14, 140, x + 14, 180), fill="black")
    draw.arc((130, 180, 270, 300), 20, 160, fill="black", width=6)
    picture.save(tmp_path / "smiley.png")
    with pytest.raises(NoFace, match="smiley.png: no face found"):
        edit_file(tmp_path / "smiley.png", Tint(), tmp_path / "out.png", "sad")


def test_profile_view_is_refused(tmp_path):
    from dataclasses import replace

    from fersyn.rendering.person import draw_person
    from fersyn.rendering.photograph import photograph
    from fersyn.rendering.scene import draw_scene

    scene = replace(draw_scene(np.random.default_rng(2)), yaw=85.0, pitch=0.0, roll=0.0)
    image = photograph(draw_person(0, 2), {}, scene).image
    with pytest.raises(NoFace, match="side.png: no face found"):
        edit_file(saved(tmp_path / "side.png", image), Tint(), tmp_path / "out.png", "sad")


def test_small_face_is_edited_and_said_to_be_small(tmp_path, portrait):
    height, width = portrait.shape[:2]
    scale = 60 / (0.62 * width)  # a face of about 60 px
    small = np.asarray(Image.fromarray(portrait).resize((round(width * scale), round(height * scale)), Image.LANCZOS))
    canvas = np.full((300, 400, 3), 120, np.uint8)
    canvas[60 : 60 + small.shape[0], 100 : 100 + small.shape[1]] = small
    notes = edit_file(saved(tmp_path / "far.png", canvas), Tint(), tmp_path / "out.png", "surprise")
    assert any("is small" in note for note in notes)
    assert changed(canvas, read(tmp_path / "out.png")).any()


def test_forty_megapixels(tmp_path, portrait):
    large = np.full((5200, 7800, 3), 200, np.uint8)
    face = np.asarray(Image.fromarray(portrait).resize((2600, 2600 * portrait.shape[0] // portrait.shape[1])))
    large[600 : 600 + face.shape[0], 2000:4600] = face
    photo = saved(tmp_path / "large.jpg", large, quality=90)
    before = read(photo)
    edit_file(photo, Tint(), tmp_path / "out.png", "happy")
    after = read(tmp_path / "out.png")
    assert after.shape == large.shape
    mask = changed(before, after)
    assert mask.any() and not mask[:, :1500].any()


def test_alpha_is_laid_over_white(tmp_path, portrait):
    alpha = np.full(portrait.shape[:2], 255, np.uint8)
    alpha[:20] = 0
    photo = saved(tmp_path / "alpha.png", np.dstack([portrait, alpha]))
    edit_file(photo, Tint(), tmp_path / "out.png", "fear")
    out = Image.open(tmp_path / "out.png")
    assert out.mode == "RGB" and (np.asarray(out)[:10] == 255).all()


def test_exif_profile_and_size_are_kept_and_the_picture_is_upright(tmp_path, portrait):
    from PIL import ImageCms

    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "A camera", 6  # stored lying on its side
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = saved(tmp_path / "a.jpg", np.rot90(portrait), exif=exif.tobytes(), icc_profile=profile, quality=95)
    edit_file(photo, Tint(), tmp_path / "out.jpg", "happy")
    out = Image.open(tmp_path / "out.jpg")
    assert out.size == (portrait.shape[1], portrait.shape[0])
    assert out.getexif()[0x010F] == "A camera" and out.getexif()[0x0112] == 1 and out.info["icc_profile"] == profile


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_the_place_is_left_out(tmp_path, portrait, suffix):
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 14.0), 3: "E", 4: (11.0, 34.0, 31.0)})
    photo = saved(tmp_path / "a.jpg", portrait, exif=exif.tobytes())
    assert dict(Image.open(photo).getexif().get_ifd(0x8825))
    save(portrait, photo, tmp_path / f"out{suffix}")
    kept = Image.open(tmp_path / f"out{suffix}").getexif()
    assert kept[0x010F] == "A camera" and 0x8825 not in kept and not kept.get_ifd(0x8825)


def test_a_sheet_without_a_landmark_motion_is_refused_before_anything_is_done(tmp_path):
    with pytest.raises(FersynError, match="--sheet: warp makes no expression without being given landmarks"):
        edit_file(tmp_path / "none.png", Warp(128), tmp_path / "sheet.png", all_expressions=True)


def test_sheet_has_a_row_a_face_and_a_column_an_expression(tmp_path, portrait):
    notes = edit_file(saved(tmp_path / "a.png", portrait), Tint(), tmp_path / "sheet.png", all_expressions=True)
    assert "7 expressions" in notes[-1]
    assert Image.open(tmp_path / "sheet.png").size == (8 * 192, 192 + 26)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"expression": "bored"}, "bored"),
        ({"expression": "happy", "intensity": 1.4}, "--intensity 1.4"),
        ({}, "name an --expression"),
        ({"expression": "happy", "out": "out.gif"}, "ends in .png"),
        ({"expression": "happy", "out": "a.png"}, "is the photograph itself"),
        ({"expression": "happy", "out": "none/out.png"}, "there is no folder .*none; make it first"),
    ],
)
def test_wrong_wishes_are_named_before_anything_is_done(tmp_path, portrait, arguments, message):
    photo = saved(tmp_path / "a.png", portrait)
    arguments = {"out": "out.png"} | arguments
    with pytest.raises(FersynError, match=message):
        edit_file(photo, Tint(), tmp_path / arguments.pop("out"), **arguments)


def test_missing_photograph(tmp_path):
    with pytest.raises(UnreadablePhoto, match="gone.jpg: no such file"):
        edit_file(tmp_path / "gone.jpg", Tint(), tmp_path / "out.png", "happy")
