"""What the panel shows, as a line of code: `make` does in one call what the sliders did."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from fersyn.datasets.photo import read_photo
from fersyn.errors import FersynError
from fersyn.explore import face as faces
from fersyn.explore.shaped import Shaped
from fersyn.expressions import parse
from fersyn.reporting.project import locate, root
from fersyn.table import FaceTable
from fersyn.training.runs import load


@dataclass(frozen=True)
class Wish:
    """What a face is to become: all that the panel's sliders say.

    Attributes:
        expression, intensity: as `Synthesiser.edit` takes them.
        second, share: expression that is mixed in, and its share 0..1; empty: none.
        amounts: handle -> amount, in eye distances.
    """

    expression: str
    intensity: float = 1.0
    second: str = ""
    share: float = 0.0
    amounts: dict[str, float] = field(default_factory=dict)

    def shape(self, synthesiser) -> Shaped:
        """The synthesiser that does it."""
        return Shaped(synthesiser, self.second, self.share, **self.amounts)

    def part(self, done: float) -> Wish:
        """The wish fulfilled to a part 0..1: intensity and handles from 0 to what they are."""
        amounts = {name: amount * done for name, amount in self.amounts.items()}
        return Wish(self.expression, self.intensity * done, self.second, self.share, amounts)

    @property
    def graded(self) -> bool:
        """Whether the intensity has an effect: neutral alone knows no degrees."""
        return self.expression != "neutral" or bool(self.second and self.share)

    @property
    def plain(self) -> bool:
        """Whether it is one expression and an intensity, and nothing else."""
        return not (self.second and self.share) and not any(self.amounts.values())

    @property
    def words(self) -> str:
        """In words: `happiness at 60 %`, `happiness and surprise (30 %) at 60 %, mouth open 0.2`."""
        text = self.expression
        if self.second and self.share:
            text += f" and {self.second} ({self.share:.0%})"
        text += f" at {self.intensity:.0%}" if self.graded else ""
        pulled = [f"{name.replace('_', ' ')} {amount:+.2f}" for name, amount in self.amounts.items() if amount]
        return ", ".join([text, *pulled])

    def arguments(self) -> str:
        """As arguments of `make`, without what has its default value."""
        parts = [repr(self.expression).replace("'", '"'), f"{self.intensity:.4g}"]
        if self.second and self.share:
            parts += [f'second="{self.second}"', f"share={self.share:.4g}"]
        return ", ".join([*parts, *(f"{name}={amount:.4g}" for name, amount in self.amounts.items() if amount)])


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
) -> Image.Image:
    """Edit one face as the panel of notebook 07 does.

    Args:
        run: run folder of a method; like `face`, looked for below the project's root where it is not here.
        face: a photograph, or with `row` a face table.
        expression: what the face is to show.
        intensity: 0..1.
        row: position of the face in the table.
        number: which face of a photograph, counted from the left.
        second: expression that is mixed in; empty: none.
        share: 0..1 of the second.
        **amounts: handles, in eye distances: mouth_open, mouth_corners, brow_height, eye_opening.

    Returns:
        the whole photograph with that face edited, or the table's face, as a PIL image (RGB).

    Raises:
        FersynError: the message names what is wrong and the cure.
    """
    synthesiser = load(locate(run))
    shaped = Shaped(synthesiser, second, share, **amounts)
    path = locate(face)
    if row is not None:
        chosen = faces.of_table(FaceTable.open(path), row)
    elif path.is_dir():
        raise FersynError(f"{face} is a folder: name one of its faces, row=0 or another number")
    else:
        found = faces.of_photo(read_photo(path), path.name, synthesiser.size)
        if not 1 <= number <= len(found):
            raise FersynError(f"number={number}: {path.name} shows {len(found)} face{'s' * (len(found) != 1)}")
        chosen = found[number - 1]
    return Image.fromarray(chosen.finished(chosen.edited(shaped, parse(expression), intensity)))


def python_line(run: str, face: faces.Face, wish: Wish, file: str) -> str:
    """The line of Python that makes the picture again and saves it as `file`."""
    which = f"row={face.row}" if face.row is not None else f"number={face.number}" if face.number > 1 else ""
    words = ", ".join(filter(None, [_quoted(run), _quoted(face.origin), wish.arguments(), which]))
    return f"from fersyn.explore import make; make({words}).save({_quoted(file)})"


def shell_line(run: str, face: faces.Face, wish: Wish, file: str) -> str:
    """The same as a `fersyn edit` command for a shell in the project's folder; empty where there is none: for a table's
    face, a blend or a pulled handle.
    """
    if face.row is not None or not wish.plain:
        return ""
    words = [*command(), "edit", face.origin, "--run", run, "--expression", wish.expression]
    words += ["--intensity", f"{wish.intensity:.4g}", "--face", str(face.number), "--out", file]
    return shlex.join(words)


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


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
