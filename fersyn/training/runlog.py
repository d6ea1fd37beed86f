"""RUN/log.csv: a row every so many steps; a resumed run goes on with it as if nothing had been."""

import csv
from pathlib import Path

from fersyn.files import write_atomic


class RunLog:
    """Rows of step, losses, learning-rate factor, images a second and seconds since the beginning.

    Args:
        path: the file.
        step: steps already taken; rows after it (of a run that was killed after its last checkpoint) are removed.
    """

    def __init__(self, path: Path, step: int = 0):
        self.path = path
        self._columns: list[str] = []
        if not path.is_file():
            return
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        if step == 0 or not rows:
            path.unlink()
            return
        self._columns = rows[0]
        # A kill may have cut the last line short.
        kept = [row for row in rows[1:] if len(row) == len(rows[0]) and row[0].isdigit() and int(row[0]) <= step]
        write_atomic(path, lambda temporary: _write(temporary, [rows[0], *kept]))

    def add(self, step: int, values: dict[str, float]) -> None:
        """Append a row: `step` counts finished steps."""
        fresh = not self._columns
        if fresh:
            self._columns = ["step", *values]
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            if fresh:
                writer.writerow(self._columns)
            writer.writerow([step, *(f"{values[name]:.6g}" for name in self._columns[1:])])


def _write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
