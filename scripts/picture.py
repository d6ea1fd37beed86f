"""Draws docs/faces.jpg, the README's picture: rendered people, each with the eight expressions at their peak.

python scripts/picture.py data/laptop/rendered docs/faces.jpg
"""

import sys

import numpy as np
from PIL import Image

from fersyn.expressions import EXPRESSIONS
from fersyn.table import FaceTable

PEOPLE = (2, 6, 1, 4, 9)


def main(table: str, out: str) -> None:
    """Write the picture: a row a person, a column an expression."""
    faces = FaceTable.open(table)
    rows = faces.rows
    subjects = sorted(rows["subject"].unique())
    grid = []
    for subject in (subjects[i] for i in PEOPLE):
        own = rows[rows["subject"] == subject]
        peaks = [own[own["expression"] == name].sort_values("intensity").index[-1] for name in EXPRESSIONS]
        grid.append(np.concatenate(list(faces.images(np.array(peaks))), 1))
    Image.fromarray(np.concatenate(grid, 0)).save(out, quality=88, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
