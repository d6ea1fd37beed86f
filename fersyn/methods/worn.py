"""What a face wears already, told by its landmarks, and how it is taken back. [ours]

Which expression it is says a linear discriminant analysis, how to take it back a ridge regression an expression (scikit-learn).
A ridge foretells too little, and what it foretells is lengthened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fersyn.expressions import EXPRESSIONS

COMPONENTS = 25  # principal components of all shapes
FARTHEST = 5.0  # deviations: a face unlike all seen is treated like the nearest that is not
RIDGE = 3.0
PARTS = (1.0, 0.6, 0.3)  # of displacements: a weak smile is one, too
LONGER = 1.15  # then the smiles of generated people who were left out are taken back in full, in their mean


@dataclass(frozen=True, eq=False)
class Worn:
    """Shapes are landmarks as `fersyn.methods.motion.Motion` has them, (N, 136).

    Attributes:
        pca, judge: principal components of shapes, and what tells the expression by them.
        ridges: label -> what takes it back.
    """

    pca: Any
    judge: Any
    ridges: dict[int, Any]

    def told(self, shape: np.ndarray) -> np.ndarray:
        """Probabilities (N, len(EXPRESSIONS)) of the expressions that faces wear."""
        found = np.zeros((len(shape), len(EXPRESSIONS)))
        found[:, self.judge.classes_] = self.judge.predict_proba(_scores(self.pca, shape))
        return found

    def back(self, shape: np.ndarray, label: np.ndarray | None = None) -> np.ndarray:
        """Displacements (N, 136) that take faces to neutral.

        Args:
            shape: of the faces.
            label: (N,) expression worn, -1 unknown; None: unknown for all.
        """
        share = self.told(shape)
        if label is not None:
            share[label >= 0] = np.eye(len(EXPRESSIONS))[label[label >= 0].astype(int)]
        scores, found = _scores(self.pca, shape), np.zeros_like(shape)
        for k, ridge in self.ridges.items():
            found += share[:, [k]] * ridge.predict(scores)
        return LONGER * found


def fit(neutral: np.ndarray, shift: np.ndarray, label: np.ndarray) -> Worn:
    """Learn from displacements to expressions: see `fersyn.methods.motion.Motion` for what is given."""
    from sklearn.decomposition import PCA
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import Ridge

    way = np.concatenate([part * shift.astype(float) for part in (*PARTS, 0)])
    faces = np.tile(neutral.astype(float), (len(PARTS) + 1, 1)) + way
    labels = np.concatenate([np.tile(label, len(PARTS)), np.zeros_like(label)])
    pca = PCA(min(COMPONENTS, len(faces) - 1), svd_solver="full").fit(faces)
    scores, classes, ridges = _scores(pca, faces), np.unique(labels), {}
    judge = LinearDiscriminantAnalysis("lsqr", "auto", np.full(len(classes), 1 / len(classes))).fit(scores, labels)
    for k in classes[classes > 0]:
        own = (labels == k) | (labels == 0)
        ridges[int(k)] = Ridge(RIDGE).fit(scores[own], -way[own])
    return Worn(pca, judge, ridges)


def _scores(pca: Any, shape: np.ndarray) -> np.ndarray:
    """Standardised principal components (N, K)."""
    return (pca.transform(shape) / np.sqrt(pca.explained_variance_.clip(1e-12))).clip(-FARTHEST, FARTHEST)
