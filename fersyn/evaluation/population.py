"""People of a generator whom mappers move: every face is drawn once, and all instruments look at it. [ours]

People are taken as they come, nobody is refused: a face table takes the better part of them (`casting`). What had a hand in a
mapper's training (`ExpressionMapper.guides`) is marked wherever it measures. Notebook 08 shows what is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fersyn.errors import FersynError, NoFace
from fersyn.evaluation import judging, verification, verifiers
from fersyn.evaluation.fidelity import OwnJudge
from fersyn.evaluation.intensity import along, sweep_scores
from fersyn.evaluation.scores import GUIDE, Metric, Scores, register, rows_of, summarise
from fersyn.evaluation.verification import Faces, Trial
from fersyn.expressions import EXPRESSIONS
from fersyn.faces.crop import Face, crop_face
from fersyn.generating import casting
from fersyn.generating.portrait import SIZE, makers, person, picture, portrait
from fersyn.losses.guided import CORNERS
from fersyn.nets import expression_mapper, generators, instruments
from fersyn.nets.expression_mapper import MOVED, ExpressionMapper
from fersyn.nets.instruments import ACTIONS, JUDGES
from fersyn.pixels import to_floats, to_tensor

TABLE = "generated"  # these faces, in the rows of scores
SHIPPED, ALIKE = "the kit's mapper", "one way for all people"
SIDE = 128  # of aligned faces, px
STRENGTHS = (0.5, 1.0, 1.3)
FULL = 1.0
EYES = ((33, 133), (362, 263))  # of the mesh: corners of each
MEANT = 500  # people whose mean way is that for all

for _metric in (
    Metric(
        "one_sided", "one corner of the mouth above the other", "higher", "% of the eyes' distance", 1, 100.0, "actions"
    ),
    Metric("refused", "not taken into a face table", "lower", "%", 1, 100.0),
):
    register(_metric)
HAPPY = {
    name: register(Metric(f"happy_{name}", f"called happy by {title}", "lower", "%", 0, 100.0)).name
    for name, title in (("kit", judging.TITLES[judging.KIT]), *((name, name) for name in JUDGES))
}


@dataclass(frozen=True)
class Population:
    """Faces, one a row.

    Attributes:
        mappers: by name; the one that comes with the kit first. {}: the generator's weights are missing, and no face is here.
        rows: DataFrame: mapper, person, expression, strength (0: the own neutral face).
        pictures: uint8 (N, 256, 256, 3), in FFHQ's frame.
        faces: uint8 (N, 128, 128, 3), as the kit aligns them; landmarks: (N, 68, 2) px of them.
        mesh, actions: (N, 478, 3) and (N, 52), of MediaPipe; NaN without its weights.
        reasons: person -> why a face table would not take them ("": it would); {} without the weights of those who say.
        samples: person -> the generator's own sample, uint8 (256, 256, 3).
        lost: faces in which dlib finds none; they are in no row.
        seed, truncation: who they are.
    """

    mappers: Mapping[str, ExpressionMapper]
    rows: pd.DataFrame
    pictures: np.ndarray
    faces: np.ndarray
    landmarks: np.ndarray
    mesh: np.ndarray
    actions: np.ndarray
    reasons: Mapping[str, str]
    samples: Mapping[str, np.ndarray]
    lost: int
    seed: int
    truncation: float

    def at(self, mapper: str = SHIPPED, strength: float = FULL) -> tuple[np.ndarray, np.ndarray]:
        """Positions (N,) of a mapper's faces at a strength whose people's neutral face is there too, and that face's."""
        own = self.rows[self.rows["mapper"] == mapper]
        calm = {row.person: at for at, row in own[own["strength"] == 0].iterrows()}
        loud = own.index[(own["strength"] == strength) & own["person"].isin(calm)].to_numpy(int)
        return loud, np.array([calm[who] for who in self.people[loud]], int)

    @property
    def people(self) -> np.ndarray:
        """Whose each face is, (N,)."""
        return self.rows["person"].to_numpy(object)

    @property
    def expressions(self) -> np.ndarray:
        """Which each face shows, (N,)."""
        return self.rows["expression"].to_numpy(object)

    def labels(self, index: np.ndarray) -> np.ndarray:
        """Which expressions faces show, indices into EXPRESSIONS."""
        return np.array([EXPRESSIONS.index(name) for name in self.expressions[index]], np.int64)

    def only(self, who: str, expression: str, strength: float = FULL) -> int | None:
        """Position of one person's face by the kit's mapper; None: dlib finds none in it."""
        own = (self.rows == [SHIPPED, who, expression, strength]).all(axis=1)
        return int(own.to_numpy().argmax()) if own.any() else None

    def w(self, who: str) -> Tensor:
        """Somebody's w, (1, width)."""
        return person(self.seed, int(who.rpartition("-")[2]), self.truncation)

    @property
    def gain(self) -> float:
        """How far the kit's mapper is to go at full strength, in displacements of the actions of those it learnt from."""
        return self.mappers[SHIPPED].gain

    @property
    def first(self) -> str:
        """The first person whom a table would take and who has lost no face; "": there is nobody."""
        drawn = self.rows[self.rows["mapper"] == SHIPPED].groupby("person", sort=False).size()
        able = drawn.index[drawn == drawn.max()] if len(drawn) else drawn.index
        return min(able, key=lambda who: self.reasons.get(who, "") != "", default="")


def mappers(files: Iterable[str | Path], seed: int, truncation: float) -> dict[str, ExpressionMapper]:
    """The kit's mapper, one that moves everybody alike, and those of files; {} where the generator's weights are missing.

    Args:
        files: of mappers (.safetensors), or folders of runs of `expression-mapper`; what is not there is passed over.
        seed, truncation: of the people in whose mean way everybody is moved.

    Raises:
        FersynError: a file is damaged, or a mapper of another generator; a run is one of another method.
    """
    if not generators.available():
        return {}
    generator, kits = makers()
    z = torch.randn(MEANT, generator.width, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        found = {SHIPPED: kits, ALIKE: kits.alike(generator.sample(z, truncation))}
    for file in map(Path, files):
        if file.is_dir():
            found[file.name] = _trained(file)
        elif file.is_file():
            own = expression_mapper.get(generator, file.resolve())
            without = [name for name in kits.guides if name not in own.guides]
            found[f"without {' and '.join(without)}" if without else file.stem] = own
    return found


def _trained(run: Path) -> ExpressionMapper:
    from fersyn.training import runs

    synthesiser = runs.load(run)
    if not isinstance(mapper := getattr(synthesiser, "networks", {}).get("mapper"), ExpressionMapper):
        raise FersynError(
            f"{run} is no run of expression-mapper; train one: fersyn train expression-mapper --out {run}"
        )
    mapper.guides = synthesiser.guides
    return mapper


def draw(moved_by: Mapping[str, ExpressionMapper], people: int, seed: int, truncation: float) -> Population:
    """Draw people, neutral and with seven expressions: by the first mapper at `STRENGTHS`, by the others at full strength.

    Args:
        moved_by: of `mappers`.
        people: how many.
        seed: of the population.
        truncation: 0 the mean face .. 1 all that the generator knows.
    """
    lines, pictures, found, reasons, samples = [], [], [], {}, {}
    casts = all(map(instruments.available, instruments.NAMES))
    for index in range(people if moved_by else 0):
        who, w = f"G{seed}-{index:05d}", person(seed, index, truncation)
        samples[who] = picture(makers()[0].layers(w))
        for name, mapper in moved_by.items():
            steps = STRENGTHS if name == SHIPPED else (FULL,)
            for expression, strength in (("neutral", 0.0), *((each, step) for each in MOVED for step in steps)):
                if name == SHIPPED:
                    pictures.append(portrait(seed, index, truncation, expression, strength))
                else:
                    pictures.append(moved(mapper, w, expression, strength))
                found.append(aligned(pictures[-1]))
                lines.append((name, who, expression, strength))
                if name == SHIPPED and casts and not strength:  # now, while `portrait` remembers it
                    reasons[who] = casting.candidate(seed, index, truncation)[0]
    there = [k for k, face in enumerate(found) if face is not None]
    faces = np.array([found[k].crop for k in there], np.uint8).reshape(-1, SIDE, SIDE, 3)
    landmarks = np.array([found[k].landmarks for k in there]).reshape(-1, 68, 2)
    return Population(
        moved_by, pd.DataFrame([lines[k] for k in there], columns=["mapper", "person", "expression", "strength"]),
        np.array([pictures[k] for k in there], np.uint8).reshape(-1, SIZE, SIZE, 3), faces, landmarks,
        *metered(faces), reasons, samples, len(found) - len(there), seed, truncation,
    )  # fmt: skip


def moved(mapper: ExpressionMapper, w: Tensor, expression: str, strength: float = FULL, **more: Any) -> np.ndarray:
    """The picture of somebody's w whom a mapper moves; `more`: `ExpressionMapper.edit`'s actions and manner."""
    with torch.inference_mode():
        return picture(mapper.edit(w, expression, strength, styles=makers()[0].styles, **more))


def aligned(seen: np.ndarray) -> Face | None:
    """The face in a picture as the kit aligns it; None: dlib finds none."""
    try:
        return crop_face(seen, SIDE)
    except NoFace:
        return None


def metered(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mesh (N, 478, 3) and actions (N, 52) of faces uint8 (N, H, W, 3); NaN without the meter's weights."""
    if not len(faces) or not instruments.available("actions"):
        return np.full((len(faces), 478, 3), np.nan), np.full((len(faces), len(ACTIONS)), np.nan)
    meter = instruments.get("actions")
    with torch.inference_mode():
        mesh = torch.cat([meter.mesh(to_floats(part)) for part in to_tensor(faces).split(instruments.BATCH)])
        return mesh.cpu().numpy(), meter.of_mesh(mesh).cpu().numpy()


def named(found: Population, judge: OwnJudge | None, seed: int = 0) -> Scores:
    """What judges call the faces: each mapper's at full strength, and the kit's at other strengths as methods of their own;
    neutral faces stand with all of them. `judge`: the kit's recogniser, None: there is none.
    """
    scores = Scores(pd.DataFrame())
    for name, mapper in found.mappers.items():
        for strength in STRENGTHS if name == SHIPPED else (FULL,):
            loud, calm = found.at(name, strength)
            index = np.concatenate([np.unique(calm), loud])
            about, shown = (found.people[index], index), found.expressions[index]
            keys = {"method": method(name, strength), "seed": seed, "table": TABLE}
            faces, labels = to_tensor(found.faces[index]), found.labels(index)
            if len(index) and (right := judging.rightly(judge, faces, labels)) is not None:
                own = rows_of(judging.KIT, right, *about, shown, **keys).dropna(subset="value")
                scores = scores + Scores(own)
            scores = scores + judging.of_faces(faces, labels, *about, mapper.guides, **keys)
    return scores


def method(mapper: str, strength: float = FULL) -> str:
    """What faces of a mapper are called in the rows of scores."""
    return mapper if strength == FULL else f"{mapper}, strength {strength:g}"


def by(scores: Scores, column: str, seed: int = 0) -> pd.DataFrame:
    """`scores.summarise` of the kit's mapper's rows by expression, or by another column."""
    rows = scores.rows[scores.rows["method"] == SHIPPED] if len(scores.rows) else scores.rows
    return summarise(Scores(rows), ("table", "method", column), seed=seed)


def identity(found: Population, seed: int = 0) -> Scores:
    """Is it still the person? dlib's distance of each face at full strength from the own neutral one, and from the others'."""
    scores, verifier = Scores(pd.DataFrame()), verifiers.get("dlib")
    for name, mapper in found.mappers.items():
        loud, calm = found.at(name)
        if len(loud):
            known = np.unique(calm)
            gallery, probes = (
                verification.described(verifier, Faces(found.faces[part], found.landmarks[part]))
                for part in (known, loud)
            )
            trial = Trial(verification.apart(verifier, gallery, probes), found.people[loud], found.people[known])
            about = loud, found.expressions[loud], seed, "dlib" in mapper.guides
            scores = scores + verification.scores({name: trial}, verifier, TABLE, *about)
    return scores


def refused(named: Scores, identity: Scores, contempt: Scores, seed: int = 0) -> Scores:
    """Which faces of the kit's mapper at full strength a face table leaves out: too far from the own neutral face, or believed
    by neither judge (`casting`).
    """
    if not len(identity.rows):
        return Scores(pd.DataFrame())
    own = identity.of(method=SHIPPED, metric="own_distance").rows.set_index("item")
    out = own["value"] > casting.DRIFTED
    both = (named, list(judging.JUDGED.values()), 0), (contempt, [HAPPY[name] for name in JUDGES], 1)
    for scores, asked, against in both:
        heard = scores.of(method=SHIPPED, metric=asked).rows if len(scores.rows) else scores.rows
        if len(heard) and set(heard["metric"]) == set(asked):  # one judge alone refuses nobody
            none = (heard["value"] == against).groupby(heard["item"]).all()
            out |= none.reindex(out.index, fill_value=False)
    keys = {"method": SHIPPED, "seed": seed, "table": TABLE}
    return Scores(rows_of("refused", out, own["person"], out.index, own["expression"], **keys))


def growing(found: Population) -> pd.DataFrame:
    """How strong each expression of the kit's mapper came out, by strength: frame as of `intensity.sweep`, a pair a person
    and expression; measured: the actions' displacement along the wanted one, 1: as far as the mapper was asked to go.
    """
    lines = []
    if not len(found.rows) or np.isnan(found.actions).all():
        return pd.DataFrame(columns=["person", "expression", "pair", "asked", "measured"])
    wanted = found.gain * found.mappers[SHIPPED].manner_mean.numpy()
    people, expressions = found.people, found.expressions
    for strength in (0.0, *STRENGTHS):
        loud, calm = found.at(SHIPPED, strength or FULL)
        moved = found.actions[loud] - found.actions[calm]
        whole = wanted[[MOVED.index(name) for name in expressions[loud]]]
        for at, value in zip(loud, along(moved, whole) if strength else np.zeros(len(loud)), strict=True):
            pair = f"{people[at]}, {expressions[at]}"
            lines.append((people[at], expressions[at], pair, strength, float(value)))
    return pd.DataFrame(lines, columns=["person", "expression", "pair", "asked", "measured"])


def growth(found: Population, steps: pd.DataFrame, seed: int = 0) -> Scores:
    """`intensity.sweep_scores` of what `growing` gave: the meter was a guide."""
    rows = sweep_scores({SHIPPED: steps} if len(steps) else {}, TABLE, seed).rows
    return Scores(rows.assign(**{GUIDE: True}) if len(rows) and "actions" in found.mappers[SHIPPED].guides else rows)


def contempt(found: Population, judge: OwnJudge | None, seed: int = 0) -> Scores:
    """Contempt at full strength, which `fer` and `facex` do not know: how far one corner of the mouth rises above the other
    in the mesh, against the own neutral face, and who calls it happy.
    """
    parts, happy = [], EXPRESSIONS.index("happiness")
    judges = {"kit": judge, **{name: judging.there(name) for name in JUDGES}}
    for name, mapper in found.mappers.items():
        loud, calm = found.at(name)
        scorn = found.expressions[loud] == "contempt"
        loud, calm = loud[scorn], calm[scorn]
        about = found.people[loud], loud, found.expressions[loud]
        keys = {"method": name, "seed": seed, "table": TABLE}
        marks = judging.marked("one_sided", mapper.guides)
        lifted = _lift(found.mesh[loud]) - _lift(found.mesh[calm])
        parts.append(rows_of("one_sided", lifted, *about, **marks, **keys))
        for each, own in judges.items():
            if own is not None and len(loud):
                called = own.named(to_floats(to_tensor(found.faces[loud]))) == happy
                marks = judging.marked(judging.JUDGED[each], mapper.guides) if each in JUDGES else {}
                parts.append(rows_of(HAPPY[each], called, *about, **marks, **keys))
    return Scores(pd.concat(parts, ignore_index=True).dropna(subset="value") if parts else pd.DataFrame())


def _lift(mesh: np.ndarray) -> np.ndarray:
    """(N,): how much higher the person's left corner of the mouth stands than the right one, in distances of the eyes."""
    right, left = (mesh[:, points[0], :2] for points in CORNERS)
    eyes = [mesh[:, pair, :2].mean(1) for pair in EYES]
    return (right - left)[:, 1] / np.linalg.norm(eyes[1] - eyes[0], axis=1)
