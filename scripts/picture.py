"""Draws the README's pictures of people: a row a person, a column an expression at its peak.

``python scripts/picture.py data/laptop/rendered docs/faces.jpg 2 6 1 4 9`` (the people in the order of their names; none:
the first twelve who have all eight expressions)
"""

import sys

import numpy as np
from PIL import Image

from fersyn.expressions import EXPRESSIONS
from fersyn.table import FaceTable

FIRST = 12


def main(table: str, out: str, *numbers: str) -> None:
    """Write the picture, JPEG."""
    faces = FaceTable.open(table)
    rows = faces.rows.sort_values("intensity").groupby(["subject", "expression"]).tail(1)
    peaks = {subject: own.set_index("expression") for subject, own in rows.groupby("subject")}
    whole = [subject for subject, own in sorted(peaks.items()) if set(EXPRESSIONS) <= set(own.index)]
    chosen = [sorted(peaks)[int(number)] for number in numbers] or whole[:FIRST]
    positions = {name: k for k, name in enumerate(faces.rows["file_name"])}
    grid = []
    for subject in chosen:
        shown = [positions[peaks[subject].loc[name, "file_name"]] for name in EXPRESSIONS]
        grid.append(np.concatenate(list(faces.images(np.array(shown))), 1))
    Image.fromarray(np.concatenate(grid, 0)).save(out, quality=88, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
