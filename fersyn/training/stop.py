"""Ctrl-C (SIGINT) and a scheduler's SIGTERM wait for the end of the step, so that it can be saved."""

import signal
import threading
from typing import Any


class StopFlag:
    """Used as a context; `raised` turns True at the first signal. The second SIGINT interrupts at once.

    Outside the main thread signals are left alone.
    """

    def __init__(self):
        self.raised = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopFlag":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *exception) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: Any) -> None:
        if self.raised and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.raised = True
