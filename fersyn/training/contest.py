"""Who wins where a discriminator and a generator are trained against each other, read off the end of RUN/log.csv.

Neither is to win: of a discriminator that has won the generator learns nothing more, nor of one that answers everything alike.
[ours: the thresholds]
"""

import csv
from pathlib import Path

import numpy as np

LAST = 0.1  # part of the rows that is looked at
WON = "won"  # its loss near 0, its accuracy near 1
ASLEEP = "asleep"  # its accuracy at one half, row after row
_LOSS, _RIGHT, _HALF = 0.1, 0.98, 0.005


def verdicts(log: Path) -> dict[str, dict[str, float | str]]:
    """Of each discriminator that a log.csv has with its accuracy: mean `loss` and `accuracy` of the last tenth of the rows, and its
    `state`, `WON`, `ASLEEP` or "" ; {} where there is none, or no log.
    """
    if not log.is_file():
        return {}
    with log.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = {}
    for name in rows[0] if rows else ():
        right = name.replace("discriminator", "accuracy")
        if "discriminator" in name and right in rows[0]:
            pairs = np.array([(float(row[name]), float(row[right])) for row in rows if row[name] and row[right]])
            last = pairs[-max(1, round(LAST * len(pairs))) :]
            if len(last):
                found[name] = _judged(*last.T)
    return found


def _judged(loss: np.ndarray, accuracy: np.ndarray) -> dict[str, float | str]:
    won = abs(loss.mean()) <= _LOSS and accuracy.mean() >= _RIGHT
    asleep = bool((abs(accuracy - 0.5) <= _HALF).all())
    state = WON if won else ASLEEP if asleep else ""
    return {"loss": float(loss.mean()), "accuracy": float(accuracy.mean()), "state": state}
