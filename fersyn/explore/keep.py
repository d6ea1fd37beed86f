"""Keeping what is shown: as a file (the picture, or a sweep of the expression as GIF or MP4), and as a line of code that makes
it again: `make` does in one call what the sliders did. No file is written unasked.
"""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image

from fersyn import editing
from fersyn.datasets.photo import read_photo
from fersyn.errors import FersynError
from fersyn.explore.choices import FIRST, Face, of_photo, of_table
from fersyn.explore.newcomer import Newcomer
from fersyn.explore.shaped import Shaped, Wish
from fersyn.explore.view import enlarged
from fersyn.expressions import parse
from fersyn.files import write_atomic
from fersyn.marks import EDITED, GENERATED, Mark, Marked, marked
from fersyn.methods.base import Synthesiser
from fersyn.reporting.project import locate, root
from fersyn.table import FaceTable
from fersyn.training.model import load

STEPS, HELD, RATE = 20, 6, 20  # frames up, frames at either end, frames a second
SIDE = 256  # px of a sweep


def save(kind: str, folder: Path, face: Face, wish: Wish, synthesiser: Synthesiser) -> Path:
    """Write the face as wished into `folder`, under a name that is not taken; return the path.

    Args:
        kind: "picture", "gif" or "mp4".
        folder: made where it is missing.
        face, wish, synthesiser: what is shown.
    """
    person = Path(face.title.split(",")[0])
    who = re.sub(r"[^\w-]", "-", person.stem).strip("-") or "face"
    second = f"-{wish.second}" if wish.second and wish.share else ""
    stem = f"{who}-{wish.expression}{second}-{wish.intensity:.0%}".rstrip("%")
    synthesiser = synthesiser.without([face.person])
    shaped = wish.shape(synthesiser)
    origin = GENERATED if isinstance(synthesiser, Newcomer) else EDITED
    mark = Mark(wish.words, synthesiser.name, synthesiser.weights, origin)
    if kind == "picture" and isinstance(synthesiser, Newcomer):
        path = free(folder, stem, ".png")
        shaped.inner.picture(wish.expression, wish.intensity).save(path)
        return path
    if kind == "picture":
        picture = face.finished(shaped, wish.expression, wish.intensity)
        own = person.suffix.lower()  # a photograph's format, where it is written here
        path = free(folder, stem, ".png" if face.row is not None else own if own in editing.SUFFIXES else ".jpg")
        if face.data:
            editing.save(picture, io.BytesIO(face.data), path, mark)
        else:
            marked(picture, mark).save(path, quality=95)
        return path
    frames = sweep(face, synthesiser, wish)
    path = free(folder, stem, f".{kind}")
    return save_gif(path, frames, mark) if kind == "gif" else save_mp4(path, frames, mark)


def free(folder: Path, stem: str, suffix: str) -> Path:
    """A path in `folder` (made where it is missing) that is not taken: `stem.png`, `stem-2.png`, ..."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FersynError(f"{folder} cannot be made ({error.strerror}); give another folder: saved=...") from None
    names = (folder / f"{stem}{'' if k == 1 else f'-{k}'}{suffix}" for k in count(1))
    return next(name for name in names if not name.exists())


def sweep(face: Face, synthesiser: Synthesiser, wish: Wish) -> list[np.ndarray]:
    """The face on its way to the wish and back, each uint8 RGB (SIDE, SIDE, 3); it begins and ends without any change of
    expression.

    Raises:
        FersynError: nothing would move.
    """
    pulled = (synthesiser.needs_landmarks and any(wish.amounts.values())) or any(wish.actions.values())
    if not wish.graded and not pulled:
        cure = "choose another expression, blend one in, or pull a handle"
        raise FersynError(f"neutral alone has nothing that comes and goes: {cure}")
    if not wish.intensity and not pulled:  # the slider stands at 0: show all that there is
        wish = replace(wish, intensity=1.0)
    pixels, points = editing.tensors(face)
    up = []
    for done in np.linspace(0, 1, STEPS):
        part = wish.part(float(done))
        made = part.shape(synthesiser).edit(pixels, part.expression, part.intensity, source_landmarks=points)
        up.append(enlarged(editing.as_images(made)[0], SIDE))
    return [*[up[0]] * HELD, *up, *[up[-1]] * HELD, *up[::-1]]


def save_gif(path: Path, frames: list[np.ndarray], mark: Mark) -> Path:
    """Write a GIF that runs for ever."""
    images = [Image.fromarray(frame) for frame in frames]
    # One palette for all, of the two ends: colours that change from frame to frame would flicker.
    ends = Image.fromarray(np.concatenate([frames[0], frames[len(frames) // 2]], 1))
    palette = ends.quantize(255, method=Image.Quantize.MEDIANCUT)
    images = [image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for image in images]
    options = {"save_all": True, "append_images": images[1:], "duration": round(1000 / RATE), "loop": 0} | mark.options(
        ".gif"
    )
    write_atomic(path, lambda draft: images[0].save(draft, "GIF", **options))
    return path


def save_mp4(path: Path, frames: list[np.ndarray], mark: Mark) -> Path:
    """Write an MP4 (H.264, which every browser plays)."""
    height, width = frames[0].shape[:2]

    def write(draft: Path) -> None:
        # Its suffix tells ffmpeg the format, and a draft has none.
        options = {"codec": "libx264", "quality": 8, "macro_block_size": 2, "output_params": ["-metadata", f"comment={mark.text}", "-f", "mp4", "-movflags", "+faststart"]}  # fmt: skip
        writer = imageio_ffmpeg.write_frames(str(draft), (width, height), fps=RATE, **options)
        writer.send(None)
        try:
            for frame in frames:
                writer.send(np.ascontiguousarray(frame))
        finally:
            writer.close()

    write_atomic(path, write)
    return path


def make(
    run: str | Path,
    face: str | Path,
    expression: str,
    intensity: float = 1.0,
    *,
    row: int | None = None,
    number: int = 1,
    second: str = "",
    share: float = 0.0,
    **amounts: float,
) -> Marked:
    """Edit one face as the panel of notebook 07 does.

    Args:
        run: run folder of a method, or an exported file; empty: the model that comes with the kit. Like `face`, looked for below
            the project's root where it is not here.
        face: a photograph, or with `row` a face table.
        expression: what the face is to show.
        intensity: 0..1.5.
        row: position of the face in the table.
        number: which face of a photograph, counted from the left.
        second: expression that is mixed in; empty: none.
        share: 0..1 of the second.
        **amounts: handles, in eye distances: mouth_open, mouth_corners, brow_height, eye_opening.

    Returns:
        the whole photograph with that face edited, or the table's face, as a PIL image (RGB) that says so wherever it is saved.

    Raises:
        FersynError: the message names what is wrong and the cure.
    """
    synthesiser = load(locate(run) if str(run) else "")
    shaped = Shaped(synthesiser, second, share, **amounts)
    path = locate(face)
    if row is not None:
        chosen = of_table(FaceTable.open(path), row)
    elif path.is_dir():
        raise FersynError(f"{face} is a folder: name one of its faces, row=0 or another number")
    else:
        found = of_photo(read_photo(path), path.name, synthesiser.size)
        if not 1 <= number <= len(found):
            raise FersynError(f"number={number}: {path.name} shows {len(found)} face{'s' * (len(found) != 1)}")
        chosen = found[number - 1]
    shaped = shaped.without([chosen.person])
    expression = parse(expression)
    mark = Mark(shaped.words(expression, intensity), shaped.name, shaped.weights)
    return marked(chosen.finished(shaped, expression, intensity), mark)


def python_line(run: str, face: Face, wish: Wish, file: str) -> str:
    """The line of Python that makes the picture again and saves it as `file`."""
    which = f"row={face.row}" if face.row is not None else f"number={face.number}" if face.number > 1 else ""
    run, origin, file = (json.dumps(text, ensure_ascii=False) for text in (run, face.origin, file))
    words = ", ".join(filter(None, [run, origin, wish.arguments(), which]))
    return f"from fersyn.explore import make; make({words}).save({file})"


def shell_line(run: str, face: Face, wish: Wish, file: str) -> str:
    """The same as a `fersyn edit` command for a shell in the project's folder; empty where there is none: for a table's
    face, or a pulled handle. `run` empty: the model that comes with the kit.
    """
    if face.row is not None or any(wish.amounts.values()):
        return ""
    words = [*command(), "edit", face.origin, *(["--run", run] if run else []), "--expression", wish.expression]
    words += ["--blend", wish.second, "--share", f"{wish.share:.4g}"] if wish.second and wish.share else []
    words += ["--intensity", f"{wish.intensity:.4g}", "--face", str(face.number), "--out", file]
    return shlex.join(words)


def drawn_lines(person: Newcomer, wish: Wish, file: str) -> tuple[str, str]:
    """Python and a shell command that draw a new person as wished and save the picture as `file`."""
    asked = f'"{wish.expression}", {wish.intensity:.4g}' + (f", {json.dumps(wish.actions)}" if wish.actions else "")
    drawn = f"draw({asked}, seed={person.seed}, person={person.index}).save({json.dumps(file)})"
    words = [*command(), "draw", "--seed", f"{person.seed}", "--person", f"{person.index}"]
    words += ["--expression", wish.expression, "--strength", f"{wish.intensity:.4g}"]
    words += [word for name, amount in wish.actions.items() for word in ("--action", f"{name}={amount:.4g}")]
    return f"from fersyn.drawing import draw; {drawn}", shlex.join([*words, "--out", file])


def command() -> list[str]:
    """The words that start this Python's `fersyn` from a shell in the project's folder: `.venv/bin/fersyn`, or a whole
    path.

    Its name alone would not do: JupyterLab's terminals do not look into `.venv/bin`.
    """
    program = Path(sys.executable).with_name("fersyn")
    return [shown(program)] if program.exists() else [sys.executable, "-m", "fersyn.cli"]


def shown(path: str | Path) -> str:
    """A path as it stands in a line of code: below the project's root, where it lies there."""
    path = Path(path)
    try:
        return path.resolve().relative_to(root().resolve()).as_posix()
    except ValueError:
        return str(path)


def how_to_train(table: str, runs: str, profile: str) -> tuple[str, str]:
    """Two commands that make a run, for a shell in the project's folder: the whole report, and one method alone.

    Both with the settings of `profile`: a report refuses a run that was made with others.
    """
    words = [*command(), "train", FIRST, "--data", table, "--out", f"{runs}/{FIRST}", "--profile", profile]
    return f"make report PROFILE={profile}", shlex.join(words)
