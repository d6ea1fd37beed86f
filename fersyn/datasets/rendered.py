"""Reader `rendered`: people that the kit draws itself, in sequences from neutral to peak as CK+ has them.

Of each sequence the first three frames (neutral) and the last three (peak) are used, as in Li et al. 2021, section IV-A;
`frames="all"` keeps what lies between, with its intensity.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

import cv2
import numpy as np

from fersyn.datasets.frames import TRUTH, Frame, FrameSet, Picture
from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS, parse

VERSION = 4  # raise it when the same parameters give another picture
ENDS = 3  # frames kept at either end, CK+ protocol
DRIFT = 2.5  # degrees by which the head moves during a sequence


@dataclass(frozen=True)
class RenderedFrame(Frame):
    """One frame of one rendered person; everything in it follows from these few values."""

    seed: int = 0
    index: int = 0
    progress: float = 0.0  # 0 first frame of the sequence .. 1 last
    glasses: float = 0.15
    grey: bool = False

    made_here: ClassVar[bool] = True

    def picture(self) -> Picture:
        """Render it: uint8 RGB (224, 224, 3) with landmarks (px), pose and light (degrees), glasses as truth."""
        # Imported here: readers of photographs need no renderer.
        from fersyn.rendering import landmarks
        from fersyn.rendering.person import draw_person
        from fersyn.rendering.photograph import photograph
        from fersyn.rendering.recipes import scaled

        person = draw_person(self.seed, self.index, self.glasses)
        actions, scene, drift, camera = _sequence(self.seed, self.index, self.sequence)
        pose = {name: getattr(scene, name) + self.progress * drift[i] for i, name in enumerate(TRUTH[:3])}
        scene = replace(scene, **pose)
        shot = photograph(person, scaled(actions, self.intensity), scene)
        noise = np.random.default_rng([self.seed, self.index, EXPRESSIONS.index(self.sequence), 4, self.frame])
        image = _expose(shot.image, camera, noise)
        if self.grey:
            image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        truth = {name: getattr(scene, name) for name in TRUTH} | {"glasses": person.glasses}
        return Picture(image, truth | {"landmarks": shot.camera.project(landmarks.points(shot.vertices))})

    def stamp(self) -> str:
        """The parameters and the version of the renderer."""
        moment = f"{self.sequence}:{self.intensity:.4f}:{self.progress:.4f}"
        return f"{VERSION}:{self.seed}:{self.index}:{moment}:{self.glasses}:{self.grey}"


def read_rendered(
    subjects: int = 24,
    seed: int = 0,
    frames: str = "ends",
    sequence_length: int = 12,
    grey: bool = False,
    glasses: float = 0.15,
    expressions: tuple[str, ...] = EXPRESSIONS[1:],
) -> FrameSet:
    """Frames of `subjects` people, one sequence neutral -> peak for each expression.

    Args:
        subjects: number of people; person i is the same whatever the number.
        seed: another seed is another population.
        frames: "ends" (first three and last three of each sequence) or "all".
        sequence_length: frames of a whole sequence, at least 6.
        grey: grey pictures, as most of CK+ are.
        glasses: share of people who wear glasses, 0..1.
        expressions: which of the seven (neutral comes with every sequence).

    Raises:
        FersynError: a value is out of range.
    """
    from fersyn.rendering.rig import prepare_rig

    wanted = tuple(dict.fromkeys(parse(name) for name in expressions))
    _check(subjects, seed, frames, sequence_length, glasses, wanted)
    kept = [*range(sequence_length)]
    if frames == "ends":
        kept = kept[:ENDS] + kept[-ENDS:]
    out: list[Frame] = []
    for index in range(subjects):
        for expression in wanted:
            person = {"seed": seed, "index": index, "glasses": glasses, "grey": grey, "sequence": expression}
            out += _sequence_frames(person, kept, sequence_length)
    kind = {"seed": seed, "frames": frames, "sequence_length": sequence_length, "grey": grey, "glasses": glasses}
    whole = f"{len(kept)} of {sequence_length} frames of a sequence"
    return FrameSet(
        "rendered",
        out,
        "CC0 1.0 (anny's assets are CC0; the kit claims nothing on its pictures)",
        "People rendered by fersyn with the anny body model; none of them exists",
        [f"{subjects} rendered people, {len(wanted)} sequences each, {whole}"],
        {"reader": "rendered", "version": VERSION, "subjects": subjects, **kind, "expressions": list(wanted)},
        prepare=prepare_rig,
    )


def _check(
    subjects: int, seed: int, frames: str, sequence_length: int, glasses: float, wanted: tuple[str, ...]
) -> None:
    no_others = "--expressions: name at least one besides neutral, which comes with every sequence"
    checks = (
        (subjects >= 1, f"--subjects is {subjects}: at least 1 person is needed"),
        (seed >= 0, f"--seed is {seed}: use 0 or more"),
        (frames in ("ends", "all"), f"--frames is '{frames}': use ends or all"),
        (sequence_length >= 2 * ENDS, f"--sequence-length is {sequence_length}: at least {2 * ENDS} frames are needed"),
        (0 <= glasses <= 1, f"--glasses is {glasses}: a share between 0 and 1 is needed"),
        ("neutral" not in wanted and wanted, no_others),
    )
    for fine, message in checks:
        if not fine:
            raise FersynError(message)


def _sequence_frames(person: dict, kept: list[int], length: int) -> list[RenderedFrame]:
    """The kept frames of one person's sequence: three of rest, then a smooth rise that slows down towards the peak."""
    seed, index, expression = person["seed"], person["index"], person["sequence"]
    strength = float(np.random.default_rng([seed, index, EXPRESSIONS.index(expression), 3]).uniform(0.8, 1.0))
    subject = f"R{seed}-{index:04d}"
    frames = []
    for frame in kept:
        rise = np.clip((frame - ENDS + 1) / (length - ENDS), 0, 1)
        intensity = float(strength * (1 - (1 - rise) ** 2) ** 0.8) if frame >= ENDS else 0.0
        known = {"frame": frame, "expression": expression if frame >= ENDS else "neutral", "publishable": True}
        known |= {"intensity": round(intensity, 4), "progress": round(frame / (length - 1), 4)}
        frames.append(RenderedFrame("rendered", f"{subject}/{expression}/{frame:03d}", subject, **known, **person))
    return frames


@lru_cache(maxsize=8)
def _sequence(seed: int, index: int, expression: str):
    """What all frames of a sequence share: full-strength actions, scene, drift of the pose, camera quality."""
    from fersyn.rendering.recipes import display
    from fersyn.rendering.scene import draw_scene

    rng = np.random.default_rng([seed, index, EXPRESSIONS.index(expression), 2])
    scene = draw_scene(rng)
    actions = display(expression, rng)
    drift = rng.normal(0, DRIFT, 3)
    camera = (float(rng.uniform(0, 0.55)), float(rng.uniform(0.4, 3.0)))
    return actions, scene, drift, camera


def _expose(image: np.ndarray, camera: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """The lens's blur (px) and the sensor's noise (grey levels)."""
    blur, noise = camera
    soft = cv2.GaussianBlur(image, (0, 0), blur).astype(np.float32) if blur > 0.15 else image.astype(np.float32)
    return np.clip(np.round(soft + noise * rng.standard_normal(image.shape, dtype=np.float32)), 0, 255).astype(np.uint8)
