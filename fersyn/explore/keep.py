"""Saving what is shown: the picture, or a sweep of the expression as GIF or MP4. Nothing is written unasked."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from fersyn import editing
from fersyn.errors import FersynError
from fersyn.explore.again import Wish
from fersyn.explore.face import Face
from fersyn.explore.pictures import enlarged
from fersyn.files import write_atomic
from fersyn.methods.base import Synthesiser

STEPS, HELD, RATE = 20, 6, 20  # frames up, frames at either end, frames a second
SIDE = 256  # px of a sweep


def free(folder: Path, stem: str, suffix: str) -> Path:
    """A path in `folder` (made where it is missing) that is not taken: `stem.png`, `stem-2.png`, ..."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FersynError(f"{folder} cannot be made ({error.strerror}); give another folder: saved=...") from None
    names = (f"{stem}{'' if k == 1 else f'-{k}'}{suffix}" for k in range(1, 100_000))
    return next(folder / name for name in names if not (folder / name).exists())


def save_picture(path: Path, face: Face, crop: np.ndarray) -> Path:
    """Write the edited face: the whole photograph with its EXIF data, or a table's crop as PNG.

    Args:
        path: file to write, format by its suffix.
        face: the source.
        crop: uint8 RGB (S, S, 3), edited.
    """
    picture = face.finished(crop)
    if face.data:
        with tempfile.TemporaryDirectory() as folder:
            original = Path(folder) / "original"
            original.write_bytes(face.data)
            editing.save(picture, original, path)
    else:
        Image.fromarray(picture).save(path, quality=95)
    return path


def sweep(face: Face, synthesiser: Synthesiser, wish: Wish) -> list[np.ndarray]:
    """The face on its way to the wish and back, each uint8 RGB (SIDE, SIDE, 3); it begins and ends without any change of
    expression.

    Raises:
        FersynError: nothing would move.
    """
    pulled = synthesiser.needs_landmarks and any(wish.amounts.values())
    if not wish.graded and not pulled:
        raise FersynError(
            "neutral alone has nothing that comes and goes: choose another expression, blend one in, or pull a handle"
        )
    if not wish.intensity and not pulled:  # the slider stands at 0: show all that there is
        wish = replace(wish, intensity=1.0)
    pixels, points = face.tensors()
    up = []
    for done in np.linspace(0, 1, STEPS):
        part = wish.part(float(done))
        made = part.shape(synthesiser).edit(pixels, part.expression, part.intensity, source_landmarks=points)
        up.append(enlarged(editing.as_bytes(made)[0], SIDE))
    return [*[up[0]] * HELD, *up, *[up[-1]] * HELD, *up[::-1]]


def save_gif(path: Path, frames: list[np.ndarray]) -> Path:
    """Write a GIF that runs for ever."""
    images = [Image.fromarray(frame) for frame in frames]
    # One palette for all, of the two ends: colours that change from frame to frame would flicker.
    ends = Image.fromarray(np.concatenate([frames[0], frames[len(frames) // 2]], 1))
    palette = ends.quantize(255, method=Image.Quantize.MEDIANCUT)
    images = [image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for image in images]
    options = {"save_all": True, "append_images": images[1:], "duration": round(1000 / RATE), "loop": 0}
    write_atomic(path, lambda draft: images[0].save(draft, "GIF", **options))
    return path


def save_mp4(path: Path, frames: list[np.ndarray]) -> Path:
    """Write an MP4 (H.264, which every browser plays); raises FersynError where no encoder is installed."""
    try:
        import imageio_ffmpeg
    except ImportError:
        raise FersynError(
            "an MP4 takes the package imageio-ffmpeg: pip install imageio-ffmpeg; or save a GIF"
        ) from None
    height, width = frames[0].shape[:2]

    def write(draft: Path) -> None:
        # Its suffix tells ffmpeg the format, and a draft has none.
        options = {"codec": "libx264", "quality": 8, "macro_block_size": 2, "output_params": ["-f", "mp4", "-movflags", "+faststart"]}  # fmt: skip
        writer = imageio_ffmpeg.write_frames(str(draft), (width, height), fps=RATE, **options)
        writer.send(None)
        try:
            for frame in frames:
                writer.send(np.ascontiguousarray(frame))
        finally:
            writer.close()

    write_atomic(path, write)
    return path
