"""Progress that suits where it is shown: a bar in a terminal or notebook, a plain line every few seconds in a log.

The environment variable FERSYN_PROGRESS (bar, plain, off) overrides the choice.
"""

import os
import sys
import time


def say(text: str) -> None:
    """Print a line on stderr, where a bar does not swallow it (stdout is for results)."""
    if _kind() != "off":
        print(text, file=sys.stderr, flush=True)


class Progress:
    """Counts finished items; used as a context: `with Progress(100, 'faces') as progress: progress.advance(3)`.

    Args:
        total: number of items.
        title: what they are.
        done: how many were finished before.
        every: seconds between two plain lines.
        unit: what one of them is called.
    """

    def __init__(self, total: int, title: str, done: int = 0, every: float = 5.0, unit: str = "face"):
        self.total, self.title, self.done, self.every, self.unit = total, title, done, every, unit
        self._note = ""
        self._start, self._first, self._last = time.monotonic(), done, time.monotonic()
        self._bar = None

    def __enter__(self) -> "Progress":
        kind = _kind()
        self._plain = kind == "plain"
        if kind == "bar":
            from tqdm.auto import tqdm

            self._bar = tqdm(total=self.total, initial=self.done, desc=self.title, unit=self.unit, smoothing=0.1)
        return self

    def __exit__(self, *exception) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self._plain and self.done > self._first and exception[0] is None:
            self._line()

    def advance(self, count: int = 1, note: str | None = None) -> None:
        """Count `count` more items as finished; `note` (losses, say) is shown behind until another is given."""
        self.done += count
        self._note = self._note if note is None else note
        if self._bar is not None:
            if note is not None:
                self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(count)
        elif self._plain and time.monotonic() - self._last >= self.every:
            self._line()

    def _line(self) -> None:
        self._last = time.monotonic()
        seconds = max(self._last - self._start, 1e-6)
        rate = (self.done - self._first) / seconds
        running = rate > 0 and self.done < self.total
        left = f", {(self.total - self.done) / rate:.0f} s left" if running else f" in {seconds:.1f} s"
        say(f"{self.title}: {self.done}/{self.total}, {rate:.1f}/s{left}{', ' + self._note if self._note else ''}")


def _kind() -> str:
    kind = os.environ.get("FERSYN_PROGRESS", "")
    if kind in ("bar", "plain", "off"):
        return kind
    return "bar" if _in_notebook() or sys.stderr.isatty() else "plain"


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    return bool(shell) and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"
