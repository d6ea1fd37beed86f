"""EmotionGAN: an expression is an axis in the feature space of a pre-trained generator.

Ning, Xu, Zong, Tian, Sun, Dong: "EmotionGAN: Facial Expression Synthesis Based on Pre-Trained Generator", J. Phys. Conf. Ser.
1518:012031, 2020. Only its abstract is known here. From it: the inverse of the generator maps an image to its feature vector;
a generalised linear model fits the direction in which each expression changes it; the vector is moved along that axis, with
an intensity; the generator reconstructs.

The rest is [ours]. The labelled vectors are the inverted faces of the table's training people (`fersyn.building.inverted`): each
person's neutral face and strongest one of each expression. They are looked at in W+, at the levels of 8 to 64 px alone, in
units of w's deviations along its principal axes: so told apart, faces of people left out are named best. A binomial GLM an
expression (logistic regression against neutral; the ridge chosen by cross-validation over people) gives the axis, its normal
at length 1. Intensity 1 is `gain` times the way that the training people went along it.

`axes` are those ("glm"), or the directions in which landmarks move ("landmarks"), or for each face its own, of the mapper that
comes with the kit ("mapper"). With `transfer` what the inversion loses is not lost: the photograph is bent and repainted as the
generator's face changes (`fersyn.methods.photo_transfer`); without it the generator's face is what comes out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from fersyn.building import inverted
from fersyn.errors import FersynError, NoFace
from fersyn.expressions import EXPRESSIONS, STRONGEST
from fersyn.faces.landmarks import find_source_landmarks
from fersyn.files import pixel_hash
from fersyn.generating import inversion
from fersyn.generating.portrait import makers
from fersyn.methods.base import Method, MethodConfig, Stage, Synthesiser
from fersyn.methods.photo_transfer import GRAIN, meshes, transfer
from fersyn.nets import expression_mapper, instruments
from fersyn.nets.expression_mapper import STYLES
from fersyn.nets.stylegan import UNSTAMPED
from fersyn.pixels import rescale
from fersyn.progress import say

MOVED = slice(STYLES.start, STYLES.stop)
FEWEST = 2  # people with a neutral and an expressive face: an axis of fewer is that person's
RIDGES = tuple(10.0 ** np.arange(5))  # 1 / strength of the GLM's ridge, for faces at a mean length of 1
PENALTIES = tuple(10.0 ** np.arange(-3, 2))  # of the regression on landmarks
FOLDS = 5
KEPT = 32  # inversions of the faces edited last


class Config(MethodConfig):
    """Settings of `emotion-gan`."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {"size": 64, "people": 4},
        "laptop": {},
        "paper": {"people": 0, "refinement": 30},
    }
    steps: int = Field(1, ge=1, le=1, description="one: all axes are fitted at once")
    ema: float = Field(0.0, ge=0, le=0, description="nothing is averaged")
    averaged: tuple[str, ...] = ()
    axes: Literal["glm", "landmarks", "mapper"] = Field("glm", description="what gives the way of an expression")
    transfer: bool = Field(False, description="whether the photograph follows, instead of being generated anew")
    orthogonal: bool = Field(False, description="whether the axes are turned until they stand upright on one another")
    people: int = Field(60, ge=0, description="training people who are inverted; 0: all")
    refinement: int = Field(0, ge=0, description="steps of optimisation after the encoder, of each face")
    gain: float = Field(1.3, gt=0, le=5, description="intensity 1: mean ways of people, or strength of the mapper")


class Axes(nn.Module):
    """What a training learns: directions of the moved styles, in units of w's deviations.

    Attributes:
        normal: (8, styles, width), by expression, at length 1; 0 where nothing was learnt, and for neutral.
        shift: (8, styles, width), mean difference of the training people's faces from their neutral ones.
        calm: (styles, width), mean of their neutral faces.
        generator: `Generator.stamp` of the one whose W+ this is.
    """

    def __init__(self, width: int):
        super().__init__()
        self.normal, self.shift = (nn.Parameter(torch.zeros(len(EXPRESSIONS), len(STYLES), width)) for _ in range(2))
        self.calm = nn.Parameter(torch.zeros(len(STYLES), width))
        self.register_buffer("generator", UNSTAMPED.clone())

    def known(self) -> list[int]:
        """Labels that there is an axis for."""
        return self.normal.flatten(1).any(1).nonzero()[:, 0].tolist()

    def directions(self, orthogonal: bool = False) -> tuple[Tensor, Tensor]:
        """Axes (8, styles, width), and how far people went along each, (8,).

        `orthogonal`: the set of axes at right angles that is nearest to them (polar decomposition), none preferred.
        """
        normal, known = self.normal.detach().clone(), self.known()
        if orthogonal:
            left, _, right = torch.linalg.svd(normal[known].flatten(1), full_matrices=False)
            normal[known] = (left @ right).unflatten(1, normal.shape[1:])
        return normal, (normal * self.shift.detach()).sum((1, 2))


class Codes:
    """The batch of the one step: training people with a neutral face, which of theirs show an expression, and both as codes of the
    moved styles in units of w's deviations.

    Attributes:
        before, after: float64 (N, styles * width), neutral and with the expression; labels, people: (N,).
        moved: (N, 136), displacement of the landmarks in parts of the crop.
    """

    def __init__(self, config: Config, table, device: Any):
        found = inverted.of_training(table, config.people, config.refinement)
        codes = found.inverter.encoder.whitened(found.codes)[:, MOVED].flatten(1).double().cpu().numpy()
        labels, people = found.labels, found.people
        landmarks = table.landmarks(found.rows).reshape(len(codes), -1).astype(float) / table.size
        calm = {person: row for row, person in enumerate(people) if labels[row] == 0}
        loud = np.array([row for row, person in enumerate(people) if labels[row] and person in calm], int)
        still = np.array([calm[person] for person in people[loud]], int)
        self.before, self.after, self.moved = codes[still], codes[loud], landmarks[loud] - landmarks[still]
        self.labels, self.people = labels[loud], people[loud]

    def batch(self, step: int, batch_size: int, seed: int = 0, rank: int = 0, world: int = 1) -> Codes:
        """All of them, whichever step, process or seed."""
        return self


class EmotionGAN(Method):
    """See the module."""

    Config = Config
    needs_landmarks = False

    def networks(self, config):
        """axes, which are learnt; none, where the mapper gives them."""
        if config.axes == "mapper":
            return {}
        return {"axes": Axes(inversion.get(config.refinement).generator.width)}

    def optimisers(self, config, networks):
        """None: the axes are fitted, all at once."""
        return {}

    def stages(self, config):
        """One step, on all faces."""
        return (Stage("axes", config.steps, self.step, Codes),)

    def guides(self, config):
        """The mapper's, the identity net of a refinement, and the meter whose mesh leads a transfer."""
        given = expression_mapper.guides() if config.axes == "mapper" else ()
        own = (*given, *(("sface",) if config.refinement else ()), *(("actions",) if config.transfer else ()))
        return tuple(dict.fromkeys(own))

    def needs_weights(self, config):
        """The generator's, those of a refinement, and the meter's for a transfer."""
        return (*inversion.weights(config.refinement), *(("actions",) if config.transfer else ()))

    def step(self, config, networks, optimisers, batch, fabric, step):
        """Fit all axes; of each expression, the share of people left out whose faces its GLM names wrongly."""
        counts = {label: int((batch.labels == label).sum()) for label in range(1, len(EXPRESSIONS))}
        if few := [f"{EXPRESSIONS[label]} ({count})" for label, count in counts.items() if count < FEWEST]:
            say(f"no axis for {', '.join(few)}: it takes {FEWEST} training people with such a face and a neutral one")
        if len(few) == len(counts):
            raise FersynError(
                f"{self.name} finds no expression that {FEWEST} training people show beside a neutral one"
            )
        axes, losses = networks["axes"], {}
        ways = _ways(batch) if config.axes == "landmarks" else {}

        def put(into: Tensor, value: np.ndarray) -> None:
            into.copy_(torch.tensor(value.reshape(into.shape)))

        with torch.no_grad():
            for label in (label for label, count in counts.items() if count >= FEWEST):
                own = batch.labels == label
                found = glm(batch.before[own], batch.after[own], batch.people[own])
                normal, losses[f"wrong {EXPRESSIONS[label]}"] = found
                put(axes.normal[label], ways.get(label, normal))
                put(axes.shift[label], (batch.after - batch.before)[own].mean(0))
            put(axes.calm, batch.before[np.unique(batch.people, return_index=True)[1]].mean(0))
            axes.generator.copy_(inversion.get(config.refinement).generator.stamp)
        return losses

    def synthesiser(self, config, networks, motion=None):
        """See `Editor`."""
        return Editor(config, networks)


def learnt(config: Config, table) -> Editor:
    """What a training on a face table gives, without a run folder."""
    networks = METHOD.networks(config)
    if networks:
        METHOD.step(config, networks, {}, Codes(config, table, "cpu"), None, 0)
    return METHOD.synthesiser(config, networks)


def glm(before: np.ndarray, after: np.ndarray, people: np.ndarray) -> tuple[np.ndarray, float]:
    """The normal (D,), at length 1, of the binomial GLM that tells faces `after` (N, D) from `before`, and the share that it
    names wrongly of people left out.

    Regularised logistic regression; the ridge that gives people left out the highest likelihood. A penalised normal lies in
    the span of the faces, and so is looked for there: the same, D / N times sooner.
    """
    from sklearn.linear_model import LogisticRegression

    faces, told = np.concatenate([before, after]), np.repeat([0, 1], len(before))
    left, size, right = np.linalg.svd(faces - faces.mean(0), full_matrices=False)
    length = max(np.sqrt((size**2).sum() / len(faces)), 1e-12)
    options = {"scoring": {"likelihood": "neg_log_loss", "right": "accuracy"}, "refit": "likelihood"}
    model, grid = LogisticRegression(max_iter=1000), {"C": RIDGES}
    best, found = _best(model, grid, left * (size / length), told, np.tile(people, 2), **options)
    return _unit(best.coef_[0] @ right), 1 - float(found["mean_test_right"])


def _ways(batch: Codes) -> dict[int, np.ndarray]:
    """By label, at length 1: where codes go, by ridge regression on landmarks, when these go as people's do in the mean."""
    from sklearn.linear_model import Ridge

    model, went = Ridge(fit_intercept=False), batch.after - batch.before
    best, _ = _best(model, {"alpha": PENALTIES}, batch.moved, went, batch.people, scoring="neg_mean_squared_error")
    means = {label: batch.moved[batch.labels == label].mean(0) for label in set(batch.labels.tolist())}
    return {label: _unit(best.predict(mean[None])[0]) for label, mean in means.items()}


def _best(model, grid: dict, given: np.ndarray, wanted: np.ndarray, people: np.ndarray, **options) -> tuple[Any, dict]:
    """The model that does best on people left out, and its scores by name."""
    from sklearn.model_selection import GridSearchCV, GroupKFold

    search = GridSearchCV(model, grid, cv=GroupKFold(min(FOLDS, len(set(people)))), **options)
    search.fit(given, wanted, groups=people)
    return search.best_estimator_, {name: each[search.best_index_] for name, each in search.cv_results_.items()}


def _unit(way: np.ndarray) -> np.ndarray:
    return way / max(np.linalg.norm(way), 1e-12)


class Editor(Synthesiser):
    """Synthesiser of `emotion-gan`, for faces of any size; arguments: of the training. Codes and transfers are the CPU's.

    Raises:
        FersynError: weights are missing, or the axes are those of another generator.
    """

    def __init__(self, config: Config, networks):
        super().__init__(METHOD, config, networks)
        self.inverter, self.axes, self._kept = inversion.get(config.refinement), networks.get("axes"), {}
        self.place = self.inverter.generator.device
        self.meter = instruments.get("actions") if config.transfer else None
        if self.axes is not None:
            self.inverter.generator.check(self.axes.generator)
            self.axes.to(self.place)

    @property
    def expressions(self):
        """Those that there is an axis for."""
        known = range(1, len(EXPRESSIONS)) if self.axes is None else self.axes.known()
        return tuple(EXPRESSIONS[label] for label in known)

    def asked(self, faces, expression, intensity, landmarks, source_landmarks):
        """As of any method, and the landmarks of the faces: FFHQ's frame is laid by them."""
        _, _, label, strength = super().asked(faces, expression, intensity, landmarks, source_landmarks)
        if unknown := {EXPRESSIONS[k] for k in label.tolist() if k} - set(self.expressions):
            raise FersynError(f"{self.name} has learnt no axis for {', '.join(sorted(unknown))} from its table")
        points = find_source_landmarks(faces) if source_landmarks is None else source_landmarks
        if tuple(points.shape) != (len(faces), 68, 2):
            raise FersynError(f"source_landmarks have the shape {tuple(points.shape)}; give ({len(faces)}, 68, 2), px")
        return points, None, label, strength

    def make(self, faces, source, target, label, intensity):
        """See the class. A face that cannot be inverted (in profile) stays as it is and is counted; if all are such, NoFace."""
        made, points = list(faces.float().cpu()), source.cpu()
        still = set(np.flatnonzero(intensity.cpu() == 0).tolist()) if self.config.transfer else set()
        refused = {at: why for at, why in inversion.refusals(points).items() if at not in still}
        if refused and len(refused) == len(made):
            raise NoFace(refused[0])
        if refused:
            why = next(iter(refused.values()))
            say(f"{self.name}: {len(refused)} of {len(made)} faces cannot be inverted and stay as they are: {why}")
        asked = [at for at in range(len(made)) if at not in still and at not in refused]
        if asked:
            own = [made[at] for at in asked], points[asked], label[asked].tolist(), intensity[asked].tolist()
            for at, face in zip(asked, self._edited(*own), strict=True):
                made[at] = face
        return torch.stack(made).to(faces) if made else faces.clone()

    def _edited(self, faces: list[Tensor], points: Tensor, labels: list[int], strengths: list[float]) -> list[Tensor]:
        known = self.inversions(faces, points)
        ways = zip(known, labels, strengths, strict=True)
        layers = torch.cat([self.moved(code, label, strength).cpu() for (code, _, _), label, strength in ways])
        if not self.config.transfer:
            return list(self.inverter.faces(layers, points, faces[0].shape[-1]))
        made, after = [], self._drawn(layers, faces[0].shape[-1], points)
        for face, (_, before, mesh), end, label in zip(faces, known, after, labels, strict=True):
            mesh = np.concatenate([mesh, meshes(self.meter, end)])
            made.append(transfer(face, before, end, mesh, EXPRESSIONS[label]))
        return made

    def _drawn(self, layers: Tensor, side: int, points: Tensor) -> Tensor:
        return self.inverter.faces(layers, rescale(points, side, GRAIN), GRAIN)

    def inversions(
        self, faces: Sequence[Tensor], points: Tensor
    ) -> list[tuple[Tensor, Tensor | None, np.ndarray | None]]:
        """W+ (1, styles, width) of each face (3, H, H) with landmarks (N, 68, 2) px; for a transfer the generator's picture of it
        (3, GRAIN, GRAIN), and the `meshes` of both. What the last faces gave is kept, for sliders and sweeps.
        """
        keys = [pixel_hash(face.numpy()) + pixel_hash(own.numpy()) for face, own in zip(faces, points, strict=True)]
        fresh = {key: at for at, key in enumerate(keys) if key not in self._kept}
        if fresh:
            new, side = list(fresh.values()), faces[0].shape[-1]
            codes, drawn = self.inverter(torch.stack([faces[at] for at in new]), points[new]), repeat(None)
            if self.meter:
                drawn = self._drawn(codes, side, points[new])
            for key, at, code, before in zip(fresh, new, codes, drawn, strict=False):
                mesh = meshes(self.meter, faces[at], before) if self.meter else None
                self._kept[key] = code[None], before, mesh
        found = [self._kept[key] for key in keys]
        self._kept = dict(list(self._kept.items())[-KEPT:])
        return found

    def moved(self, code: Tensor, label: int, intensity: float) -> Tensor:
        """W+ moved along the axis of an expression; to neutral: back along the axis on which the face has gone furthest."""
        code = code.to(self.place)
        if self.config.axes == "mapper":
            calm = makers()[1].edit(code, "neutral", 0.0)
            strength = min(intensity * self.config.gain, STRONGEST)
            if not label:
                return code + intensity * (calm - code)
            # The expression's offsets alone: the way to neutral is another matter.
            return code + makers()[1].edit(code, EXPRESSIONS[label], strength) - calm
        normal, reach = self.axes.directions(self.config.orthogonal)
        white, known = self.inverter.encoder.whitened(code), self.axes.known()
        way = intensity * self.config.gain * reach[label]
        if not label:
            gone = ((white[0, MOVED] - self.axes.calm.detach()) * normal[known]).sum((1, 2))
            furthest = int((gone / reach[known].clamp_min(1e-6)).argmax())
            label, way = known[furthest], -intensity * gone[furthest].clamp_min(0)
        white[:, MOVED] += way * normal[label]
        return self.inverter.encoder.layers(white)


METHOD = EmotionGAN()
