"""Pre-trained weights for a report: fetched where they can be had, and written down, so that a number is made anew when
the weights behind it arrive.

``python -m fersyn.reporting.weights FILE [NEWS...]`` never fails: what cannot be had is said, and the pages say it
again.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.progress import say
from fersyn.reporting.record import write_json


def news(file: Path) -> str:
    """Names of the weights that came by themselves since the first report; no network.

    They are those that ``file`` knows as news, and those that are there now and were missing when it was written. So
    the answer changes when weights arrive, and not once more when ``file`` has been written again: for Snakemake that
    would be another change.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        before = {entry["name"] for entry in content["weights"] if entry.get("file")}
        known = {str(name) for name in content["news"]}
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return " ".join(
        name for name in weights.ENTRIES if name in known or (name not in before and weights.find(name) is not None)
    )


def fetch(file: Path, names: Sequence[str] = weights.DEFAULT, news: Sequence[str] = ()) -> int:
    """Fetch what is missing of ``names`` and write what is there, and the ``news``, into ``file``; returns 0."""
    for name in names:
        try:
            weights.fetch(name)
        except FersynError as error:
            say(f"{error}\nThe report goes on without {name} and says so; fetch it later, and the next one has it")
    write_json(file, {"news": list(news), "weights": weights.about(weights.ENTRIES)})
    return 0


if __name__ == "__main__":
    sys.exit(fetch(Path(sys.argv[1]), news=sys.argv[2:]))
