"""Landmark motion: where each landmark goes when a face takes on an expression. [ours]

A face to be edited brings no target landmarks. A ridge regression (scikit-learn) per expression predicts the displacement
from the face's own shape, learnt on the training people alone; a further one takes a face that already wears an
expression back to neutral. Everything is linear, so that a model is a handful of arrays (motion.npz).
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fersyn import splits
from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.files import write_arrays

COMPONENTS = 10  # principal components of the shape that the prediction looks at
STRENGTHS = (3.0, 10.0, 30.0, 100.0, 300.0)  # of the ridge; the best in cross-validation over people is taken
LEAST = 6  # pictures of an expression below which there is nothing to learn


@dataclass(frozen=True)
class Motion:
    """Shapes are landmarks (68, 2) in parts of the crop, centre at 0, flattened to 136.

    Attributes:
        mean: (136,) mean shape.
        axes: (136, K) shape -> standardised principal components.
        shift: (8, K + 1, 136) by expression: components and 1 -> displacement at intensity 1; NaN: never seen.
        rest: (K + 1, 136) components and 1 of any face -> displacement to its neutral shape.
        error: (8,) cross-validated mean error of the prediction, parts of the crop; NaN where unknown.
    """

    mean: np.ndarray
    axes: np.ndarray
    shift: np.ndarray
    rest: np.ndarray
    error: np.ndarray

    @property
    def expressions(self) -> tuple[str, ...]:
        """Expressions that can be predicted; neutral always can."""
        seen = ~np.isnan(self.shift).any((1, 2))
        return tuple(name for k, name in enumerate(EXPRESSIONS) if k == 0 or seen[k])

    def predict(
        self,
        landmarks: Tensor,
        label: Tensor,
        intensity: Tensor | float = 1.0,
        source_label: Tensor | None = None,
        size: int = 128,
    ) -> Tensor:
        """Return the landmarks (N, 68, 2) that faces will have.

        Args:
            landmarks: (N, 68, 2) px of the faces as they are, in crops of `size` px.
            label: (N,) expression wanted.
            intensity: 0..1, one or (N,).
            source_label: (N,) expression worn, -1 unknown; None: unknown for all. A face known to be neutral is taken
                as it is; any other is first taken back to neutral.

        Raises:
            FersynError: the training set had no sequences of an expression wanted.
        """
        wanted = label.detach().cpu().numpy()
        missing = sorted({EXPRESSIONS[k] for k in wanted} - set(self.expressions))
        if missing:
            raise FersynError(
                f"no landmark motion for {', '.join(missing)}: the training set has too few sequences of it; "
                f"there is: {', '.join(self.expressions)}"
            )
        shape = ((landmarks.detach().double().cpu().numpy() + 0.5) / size - 0.5).reshape(len(landmarks), -1)
        known = np.zeros(len(shape), bool) if source_label is None else source_label.detach().cpu().numpy() == 0
        neutral = np.where(known[:, None], shape, shape + self._apply(shape, self.rest))
        strength = np.broadcast_to(np.asarray(torch.as_tensor(intensity).cpu(), float), len(shape))[:, None]
        moved = neutral.copy()
        for k in np.unique(wanted[wanted > 0]):
            own = wanted == k
            moved[own] += strength[own] * self._apply(neutral[own], self.shift[k])
        points = (moved.reshape(-1, 68, 2) + 0.5) * size - 0.5
        return torch.from_numpy(points).to(landmarks)

    def _apply(self, shape: np.ndarray, weights: np.ndarray) -> np.ndarray:
        scores = (shape - self.mean) @ self.axes
        # A face unlike all seen is treated like the nearest that is not: a linear model must not run away.
        return np.concatenate([np.clip(scores, -2.5, 2.5), np.ones((len(scores), 1))], 1) @ weights

    def save(self, path: Path) -> None:
        """Write motion.npz atomically."""
        write_arrays(Path(path), self.__dict__)


def load(path: Path) -> Motion:
    """Read a motion.npz; raises FersynError if it is none."""
    try:
        with np.load(path, allow_pickle=False) as data:
            return Motion(**dict(data))
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise FersynError(f"{path} is no landmark motion ({error}); train the method again") from None


def fit(table, index: np.ndarray | None = None) -> Motion:
    """Learn from the training people of a face table.

    Pairs of a neutral and an expressive frame of one sequence are used (of one person, where there are no sequences).

    Args:
        table: FaceTable.
        index: rows to learn from; None: all with split "train".

    Raises:
        FersynError: no such pairs.
        SubjectLeak: `index` reaches into the hold-out people.
    """
    from sklearn.decomposition import PCA

    rows = table.rows
    index = np.flatnonzero(rows["split"] == "train") if index is None else np.asarray(index)
    splits.check_disjoint(rows.iloc[index], rows[rows["split"] == "test"])
    neutral, peak = _pairs(table, index)
    if not len(peak):
        raise FersynError(
            f"{table.path}: no person with a neutral and an expressive face in the training split; landmark motion "
            "cannot be learnt from it"
        )
    shape = ((table.landmarks().astype(float) + 0.5) / table.size - 0.5).reshape(len(rows), -1)
    person = splits.people(rows)
    labels = table.labels()
    strength = table.intensities().clip(0.3)

    first = np.unique(neutral)
    if len(first) < 2:
        raise FersynError(f"{table.path}: landmark motion takes two neutral faces to learn from, there is one")
    pca = PCA(min(COMPONENTS, len(first) - 1, 136), svd_solver="full").fit(shape[first])
    axes = pca.components_.T / np.sqrt(np.maximum(pca.explained_variance_, 1e-9))

    def ridge(faces: np.ndarray, outputs: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, float]:
        return _ridge(np.clip((faces - pca.mean_) @ axes, -2.5, 2.5), outputs, groups)

    shift = np.full((len(EXPRESSIONS), axes.shape[1] + 1, shape.shape[1]), np.nan)
    error = np.full(len(EXPRESSIONS), np.nan)
    for k in range(1, len(EXPRESSIONS)):
        chosen = labels[peak] == k
        if chosen.sum() < LEAST:
            continue
        a, b = neutral[chosen], peak[chosen]
        shift[k], error[k] = ridge(shape[a], (shape[b] - shape[a]) / strength[b, None], person[b])
    # Back to neutral: from every face, neutral ones included, which must stay where they are.
    a, b = np.concatenate([neutral, neutral]), np.concatenate([peak, neutral])
    rest, _ = ridge(shape[b], shape[a] - shape[b], person[b])
    return Motion(pca.mean_, axes, shift, rest, error)


def _ridge(scores: np.ndarray, outputs: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights (K + 1, 136) from components and 1, and their mean error in cross-validation over people."""
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict

    folds = min(5, len(set(groups)))
    model, error = Ridge(STRENGTHS[-1]), float("nan")
    if folds >= 2:
        search = GridSearchCV(Ridge(), {"alpha": STRENGTHS}, scoring="neg_mean_squared_error", cv=GroupKFold(folds))
        model = search.fit(scores, outputs, groups=groups).best_estimator_
        found = cross_val_predict(model, scores, outputs, groups=groups, cv=GroupKFold(folds))
        error = float(np.linalg.norm((found - outputs).reshape(-1, 68, 2), axis=-1).mean())
    model.fit(scores, outputs)
    return np.concatenate([model.coef_.T, model.intercept_[None]]), error


def _pairs(table, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of neutral and expressive faces that belong together: each expressive one once, the neutral ones in turn."""
    neutral, peak = [], []
    groups = table.sequences(index)
    for person, sequence in sorted(groups, key=lambda name: (name[1] == "", *name)):
        calm, loud = groups[person, sequence]
        for number, at in enumerate(loud if len(calm) else []):
            neutral.append(calm[number % len(calm)])
            peak.append(at)
    return np.array(neutral, int), np.array(peak, int)
