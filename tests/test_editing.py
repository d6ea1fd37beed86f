"""`fersyn edit` with a synthesiser that only tints: what matters here is finding, pasting back and refusing."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from fersyn.editing import Asked, edit_file, edit_files, edit_photo, face_mask, find, save
from fersyn.errors import FersynError, NoFace, UnreadablePhoto
from fersyn.marks import Mark
from fersyn.methods.base import Synthesiser
from fersyn.methods.warp import Warp


class Tint(Synthesiser):
    """Synthesiser that makes faces redder, by the intensity."""

    name, needs_landmarks, size, motion, weights = "tint", False, 128, None, "tint.safetensors 0123"

    def __init__(self):
        pass

    def edit(self, faces, expression, intensity=1.0, landmarks=None, source_landmarks=None):
        """See `Synthesiser.edit`."""
        out = faces.clone()
        out[:, 0] = (out[:, 0] + 0.5 * intensity).clamp(-1, 1)
        return out


def edit(photo, out, expression="", intensity=1.0, **more):
    return edit_file(photo, Asked(Tint(), expression, intensity, **more), out)


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
    told = edit(photo, tmp_path / "out.png", "happy", 0.6)
    mask = changed(portrait, read(tmp_path / "out.png"))
    assert 0.1 < mask.mean() < 0.8 and "1 face now happiness at 60%" in told
    rows, columns = np.nonzero(mask)
    assert rows.min() > 0 and columns.min() > 0  # the border is the photograph's


@pytest.mark.parametrize("degrees", [90, 180, 45])
def test_a_face_that_lies_is_edited_as_it_lies_and_a_note_says_so(tmp_path, portrait, degrees):
    lying = np.asarray(Image.fromarray(portrait).rotate(degrees, Image.BICUBIC, expand=True, fillcolor=(200, 200, 200)))
    told = edit(saved(tmp_path / "a.png", lying), tmp_path / "out.png", "happy")
    assert re.search(rf"found turned by -?1?{str(degrees)[:-1]}\d degrees and put back as it lay", told)
    edit(saved(tmp_path / "b.png", portrait), tmp_path / "upright.png", "happy")
    there = Image.fromarray(read(tmp_path / "upright.png")).rotate(
        degrees, Image.BICUBIC, expand=True, fillcolor=(200,) * 3
    )
    assert abs(read(tmp_path / "out.png").astype(int) - np.asarray(there)).mean() < 2
    assert "turned" not in edit(tmp_path / "b.png", tmp_path / "c.png", "happy")


def test_no_seam_at_the_paste(tmp_path, portrait):
    """The mask fades out: neighbouring pixels of the difference never jump."""
    photo = saved(tmp_path / "a.png", portrait)
    edit(photo, tmp_path / "out.png", "happy", 1.0)
    difference = read(tmp_path / "out.png").astype(int)[..., 0] - portrait[..., 0]
    face = find(portrait, "a.png", 128)[0]
    weight = face_mask(face)
    assert weight.max() > 0.99 and weight[0].max() == weight[:, 0].max() == 0
    assert max(np.abs(np.diff(weight, axis=axis)).max() for axis in (0, 1)) < 0.25  # four pixels from none to all
    assert difference.max() > 30


def test_two_faces_all_or_one(tmp_path, portrait):
    both = np.concatenate([portrait, portrait[:, ::-1]], 1)
    photo, half = saved(tmp_path / "two.png", both), portrait.shape[1]
    assert "2 faces" in edit(photo, tmp_path / "all.png", "anger")
    left, right = np.split(changed(both, read(tmp_path / "all.png")), [half], 1)
    assert left.any() and right.any()
    edit(photo, tmp_path / "second.png", "anger", face=2)
    left, right = np.split(changed(both, read(tmp_path / "second.png")), [half], 1)
    assert right.any() and not left[:, : half // 2].any()
    with pytest.raises(FersynError, match=r"--face 3: two.png shows 2 faces"):
        edit(photo, tmp_path / "third.png", "anger", face=3)


class Frontal(Tint):
    """The same, which can do nothing with dark faces."""

    def edit(self, faces, expression, intensity=1.0, landmarks=None, source_landmarks=None):
        """See `Synthesiser.edit`."""
        if faces.mean() < -0.5:
            raise NoFace("the face is turned too far to the side (in profile)")
        return super().edit(faces, expression, intensity)


@pytest.mark.parametrize("wish", [{"sheet": True}, {"expression": "anger"}])
def test_a_face_that_a_method_cannot_edit_stays_and_is_counted(tmp_path, portrait, wish):
    dark, asked = portrait // 3, Asked(Frontal(), **wish)
    photo = saved(tmp_path / "two.png", np.concatenate([portrait, dark], 1))
    told = edit_file(photo, asked, tmp_path / "out.png")
    assert ": 1 face " in told and "; face 2 stays as it is: the face is turned too far" in told
    with pytest.raises(NoFace, match="side.png; face 1 stays as it is: .*in profile"):
        edit_file(saved(tmp_path / "side.png", dark), asked, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_no_face_says_what_helps(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    with pytest.raises(NoFace, match=r"wall.png: no face found \(320x240 px\).*from the front"):
        edit(saved(tmp_path / "wall.png", noise), tmp_path / "out.png", "happy")
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
        edit(tmp_path / "smiley.png", tmp_path / "out.png", "sad")


def test_profile_view_is_refused(tmp_path):
    from dataclasses import replace

    from fersyn.rendering.person import draw_person
    from fersyn.rendering.photograph import photograph
    from fersyn.rendering.scene import draw_scene

    scene = replace(draw_scene(np.random.default_rng(2)), yaw=85.0, pitch=0.0, roll=0.0)
    image = photograph(draw_person(0, 2), {}, scene).image
    with pytest.raises(NoFace, match="side.png: no face found"):
        edit(saved(tmp_path / "side.png", image), tmp_path / "out.png", "sad")


def test_small_face_is_edited_and_said_to_be_small(tmp_path, portrait):
    height, width = portrait.shape[:2]
    scale = 60 / (0.62 * width)  # a face of about 60 px
    small = np.asarray(Image.fromarray(portrait).resize((round(width * scale), round(height * scale)), Image.LANCZOS))
    canvas = np.full((300, 400, 3), 120, np.uint8)
    canvas[60 : 60 + small.shape[0], 100 : 100 + small.shape[1]] = small
    assert "face 1 is small" in edit(saved(tmp_path / "far.png", canvas), tmp_path / "out.png", "surprise")
    assert changed(canvas, read(tmp_path / "out.png")).any()


def test_forty_megapixels(tmp_path, portrait):
    large = np.full((5200, 7800, 3), 200, np.uint8)
    face = np.asarray(Image.fromarray(portrait).resize((2600, 2600 * portrait.shape[0] // portrait.shape[1])))
    large[600 : 600 + face.shape[0], 2000:4600] = face
    photo = saved(tmp_path / "large.jpg", large, quality=90)
    before = read(photo)
    edit(photo, tmp_path / "out.png", "happy")
    after = read(tmp_path / "out.png")
    assert after.shape == large.shape
    mask = changed(before, after)
    assert mask.any() and not mask[:, :1500].any()


def test_alpha_is_laid_over_white(tmp_path, portrait):
    alpha = np.full(portrait.shape[:2], 255, np.uint8)
    alpha[:20] = 0
    photo = saved(tmp_path / "alpha.png", np.dstack([portrait, alpha]))
    edit(photo, tmp_path / "out.png", "fear")
    out = Image.open(tmp_path / "out.png")
    assert out.mode == "RGB" and (np.asarray(out)[:10] == 255).all()


def test_exif_profile_and_size_are_kept_and_the_picture_is_upright(tmp_path, portrait):
    from PIL import ImageCms

    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "A camera", 6  # stored lying on its side
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = saved(tmp_path / "a.jpg", np.rot90(portrait), exif=exif.tobytes(), icc_profile=profile, quality=95)
    edit(photo, tmp_path / "out.jpg", "happy")
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
    save(portrait, photo, tmp_path / f"out{suffix}", Mark("fear at 100%", "tint"))
    kept = Image.open(tmp_path / f"out{suffix}").getexif()
    assert kept[0x010F] == "A camera" and 0x8825 not in kept and not kept.get_ifd(0x8825)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_every_picture_says_that_it_was_made(tmp_path, portrait, suffix):
    exif = Image.Exif()
    exif[0x010E] = "Anna at the lake"
    edit(saved(tmp_path / "a.jpg", portrait, exif=exif.tobytes()), tmp_path / f"out{suffix}", "happy", 0.6)
    made = Image.open(tmp_path / f"out{suffix}")
    told = made.getexif()[0x010E]
    assert told.startswith("Anna at the lake; AI-edited: happiness at 60%; fersyn ")
    assert "method tint, weights tint.safetensors 0123" in told and made.getexif()[0x0131].startswith("fersyn ")
    about = made.getxmp()["xmpmeta"]["RDF"]["Description"]
    assert about["DigitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert (about["Expression"], about["Strength"], about["Method"]) == ("happiness", "60%", "tint")


def test_at_intensity_0_what_bends_changes_no_pixel(portraits):
    """Nothing moves and nothing is painted: each pixel is the photograph's own, at whatever place and size the face has."""

    class Still(Warp):
        def asked(self, faces, expression, intensity, landmarks, source_landmarks):
            return super().asked(faces, expression, intensity, source_landmarks, source_landmarks)

    for (_, expression), photo in portraits.items():
        for face in find(photo, "a.png", 128) if expression in ("neutral", "fear") else ():
            assert (edit_photo(photo, face, Still(128), "happiness", 0.0) == photo).all()


def test_what_bends_is_sampled_once_from_the_photograph(portrait):
    """A face bent by a shift of whole pixels of the photograph is that photograph, shifted."""

    class Shift(Warp):
        def explain(self, faces, *arguments, **more):
            scale = face.alignment.scale
            flow = torch.tensor([2.0 * scale, 0.0]).reshape(1, 2, 1, 1).expand(1, 2, *faces.shape[-2:])
            return {"image": faces, "bent": faces, "flow": flow}

    face = find(portrait, "a.png", 128)[0]
    level = replace(face.alignment, matrix=face.alignment.scale * np.eye(2, 3))
    level.matrix[:, 2] = face.alignment.matrix[:, 2]
    face = replace(face, alignment=level, landmarks=face.landmarks)
    made = edit_photo(portrait, face, Shift(128), "happiness")
    x, y = level.apply_inverse(face.landmarks[30]).astype(int)
    inside = np.s_[y - 8 : y + 8, x - 8 : x + 8]
    assert np.abs(made[inside].astype(int) - np.roll(portrait, -2, 1)[inside]).max() <= 1


def test_a_method_without_a_landmark_motion_is_refused_before_anything_is_done():
    with pytest.raises(FersynError, match="--sheet: warp makes no expression without being given landmarks"):
        Asked(Warp(128), sheet=True)


def test_sheet_has_a_row_a_face_and_a_column_an_expression_at_the_faces_own_size(tmp_path, portrait):
    told = edit(saved(tmp_path / "a.png", portrait), tmp_path / "sheet.png", sheet=True)
    assert "1 face with every expression at 100%" in told
    face = find(portrait, "a.png", 16)[0]
    side, text = round(len(face.crop) / face.alignment.scale), 15
    width, height = Image.open(tmp_path / "sheet.png").size
    assert width == 9 * side and height >= side + 2 * text


def test_sheet_of_several_photographs_is_one_with_rows(tmp_path, portrait):
    told, folder = [], tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        saved(folder / name, portrait)
    done = edit_files([folder], Asked(Tint(), sheet=True), tmp_path / "sheet.png", told.append)
    one = tmp_path / "one.png"
    edit(folder / "a.png", one, sheet=True)
    (width, height), single = Image.open(tmp_path / "sheet.png").size, Image.open(one).size
    assert not done.failed and width == single[0] and height > 1.7 * single[1] and "2 faces" in told[-1]


def test_a_folder_is_edited_and_what_failed_is_told(tmp_path, portrait):
    told, folder = [], tmp_path / "in"
    folder.mkdir()
    saved(folder / "anna.jpg", portrait)
    saved(folder / "wall.png", np.full((200, 200, 3), 90, np.uint8))
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("not looked at")
    done = edit_files([folder], Asked(Tint(), "smile"), tmp_path / "out", told.append)
    assert [line.split(" ")[0] for line in told] == ["1/3", "2/3", "3/3"]
    assert (done.total, len(done.failed)) == (3, 2)
    assert done.failed[0].startswith("broken.jpg: no picture") and done.failed[1].startswith("wall.png: no face found")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["anna-happiness.jpg"]
    with pytest.raises(FersynError, match="holds the photographs themselves"):
        edit_files([folder], Asked(Tint(), "smile"), folder, told.append)
    with pytest.raises(FersynError, match="3 photographs do not go into one picture.*name a folder"):
        edit_files([folder], Asked(Tint(), "smile"), tmp_path / "out.png", told.append)
    with pytest.raises(FersynError, match="no pictures in this folder"):
        edit_files([tmp_path], Asked(Tint(), "smile"), tmp_path / "out", told.append)


def test_photographs_of_one_name_do_not_overwrite_each_other(tmp_path, portrait):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        saved(tmp_path / name / "a.png", portrait)
    edit_files([tmp_path / "one", tmp_path / "two"], Asked(Tint(), "fear"), tmp_path / "out", lambda line: None)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a-fear.png", "a-fear-2.png"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"expression": "bored"}, "bored"),
        ({"expression": "happy", "intensity": 1.6}, "--intensity 1.6: it must lie between 0 and 1.5"),
        ({}, "name an --expression"),
        ({"expression": "happy", "sheet": True}, "--sheet shows every expression, and --expression asks for one"),
        ({"expression": "happy", "out": "out.gif"}, "ends in .png"),
        ({"expression": "happy", "out": "a.png"}, "is the photograph itself"),
        ({"expression": "happy", "out": "none/out.png"}, "there is no folder .*none; make it first"),
    ],
)
def test_wrong_wishes_are_named_before_anything_is_done(tmp_path, portrait, arguments, message):
    photo = saved(tmp_path / "a.png", portrait)
    arguments = {"out": "out.png"} | arguments
    with pytest.raises(FersynError, match=message):
        edit(photo, tmp_path / arguments.pop("out"), **arguments)


def test_missing_photograph(tmp_path):
    with pytest.raises(UnreadablePhoto, match="gone.jpg: no such file"):
        edit(tmp_path / "gone.jpg", tmp_path / "out.png", "happy")
