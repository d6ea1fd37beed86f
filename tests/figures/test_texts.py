"""What pages say: every text is there and told by somebody."""

import re
from pathlib import Path

from fersyn.figures import table

CODE = Path(table.__file__).parents[2]


def test_every_text_is_told_and_every_told_text_is_there():
    files = [*(CODE / "fersyn").rglob("*.py"), *(CODE / "notebooks").glob("*.ipynb")]
    told = {
        name
        for file in files
        for name in re.findall(r'(?:note|sentence|described)\(\\?"(\w+\.\w+)', file.read_text(encoding="utf-8"))
    }
    told |= {"augmentation.curve", "augmentation.people"}  # named by `_finished`
    told |= {"training.won", "training.asleep"}  # named by `contested`
    told |= {"image_quality.sweep_chart", "generator.growing"}  # named by who calls `sweep_chart`
    there = {f"{group}.{name}" for group, own in table._TEXTS.items() for name in own}
    assert told == there


def test_braces_are_filled_in():
    assert table.sentence("identity.left_out", number=3).startswith("3 people of the training are *not*")
    assert table.described("preprocessing.heatmaps", sigma=1.5)["caption"].endswith("σ = 1.5 px.")
    assert "nobody in this set" in table.note("faces.nothing").text
