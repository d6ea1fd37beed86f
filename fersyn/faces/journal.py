"""What a run has finished, a JSON line a frame, so that a killed run goes on where it stopped."""

import json
from pathlib import Path
from typing import Any


class Journal:
    """Append-only; of several lines for one source the last one counts. A half-written line (a kill while writing) is
    passed over.

    Attributes:
        entries: by source: dicts with `source`, `stamp` and either `face` (facts for the row) or `reason` (why it was
            skipped).
    """

    def __init__(self, path: Path):
        self.path = path
        self.entries: dict[str, dict[str, Any]] = {}
        whole = True
        if path.is_file():
            text = path.read_bytes()
            whole = text.endswith(b"\n") or not text
            for line in text.splitlines():
                try:
                    entry = json.loads(line)
                    self.entries[entry["source"]] = entry
                except (ValueError, KeyError, TypeError):
                    continue
        self._file = path.open("a", encoding="utf-8", newline="\n")
        if not whole:  # else the next line would be glued to the half one, and lost with it
            self._file.write("\n")

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *exception) -> None:
        self._file.close()

    def add(self, entries: list[dict[str, Any]]) -> None:
        """Write entries through to the operating system: a killed process loses none of them."""
        for entry in entries:
            self._file.write(json.dumps(entry) + "\n")
            self.entries[entry["source"]] = entry
        self._file.flush()
