"""Pre-trained weights for a report: fetched where they can be had, and written down, so that a number is made anew when
the weights behind it arrive.

``python -m fersyn.reporting.weights FILE`` never fails: what cannot be had is said, and the pages say it again.
"""

import json
import sys
from pathlib import Path

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.progress import say
from fersyn.reporting.record import write_json


def news(file: Path) -> str:
    """Names of the weights that are there now and were missing when ``file`` was written; no network."""
    try:
        before = {entry["name"] for entry in json.loads(file.read_text(encoding="utf-8")) if entry.get("file")}
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return " ".join(name for name in weights.ENTRIES if name not in before and weights.find(name) is not None)


def fetch(file: Path, names: tuple[str, ...] = weights.DEFAULT) -> int:
    """Fetch what is missing of ``names`` and write what is there into ``file``; returns 0."""
    for name in names:
        try:
            weights.fetch(name)
        except FersynError as error:
            say(f"{error}\nThe report goes on without {name} and says so")
    write_json(file, weights.about(weights.ENTRIES))
    return 0


if __name__ == "__main__":
    sys.exit(fetch(Path(sys.argv[1])))
