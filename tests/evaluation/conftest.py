"""What several tests of evaluation measure on."""

import numpy as np
import pytest

from fersyn.table import FaceTable


@pytest.fixture(scope="module")
def graded(small_table):
    """The small table with known intensities: two people to learn from, two to test."""
    rows = small_table.rows
    people = sorted(set(small_table.people))
    side = np.where(np.isin(small_table.people.astype(str), people[:2]), "train", "test")
    strength = np.where(rows["expression"] == "neutral", 0.0, 0.8)
    return FaceTable(
        small_table.path, rows.assign(split=side, intensity=strength), small_table.info, small_table.skipped
    )
