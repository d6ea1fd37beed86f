"""A worker that always does the newest thing asked for, and drops what was asked for meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Latest:
    """One thread, one place to wait: a slider that moves faster than the work never makes it lag behind.

    Args:
        work: called in the thread with the newest request; it must not raise.

    Attributes:
        done, dropped: how many requests were worked on, and how many a newer one took the place of.
    """

    def __init__(self, work: Callable[[object], None]):
        self._work, self._ready = work, threading.Condition()
        self._waiting: list[object] = []
        self._busy, self._closed = False, False
        self._thread: threading.Thread | None = None
        self.done = self.dropped = 0

    def ask(self, request: object) -> None:
        """Put a request in place of the one that waits, and return at once."""
        with self._ready:
            self.dropped += len(self._waiting)
            self._waiting = [request]
            if self._thread is None:  # not before it is needed; and a daemon, for a kernel must be able to end
                self._thread = threading.Thread(target=self._loop, name="fersyn-explore", daemon=True)
                self._thread.start()
            self._ready.notify_all()

    @property
    def waiting(self) -> bool:
        """Whether there is something newer than what is worked on."""
        return bool(self._waiting)

    def wait(self, seconds: float = 60) -> bool:
        """Wait until nothing is left to do; False after so many seconds."""
        with self._ready:
            return self._ready.wait_for(lambda: not self._waiting and not self._busy, seconds)

    def close(self) -> None:
        """End the thread after what it is doing."""
        with self._ready:
            self._closed, self._waiting = True, []
            self._ready.notify_all()

    def _loop(self) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                request, self._waiting, self._busy = self._waiting.pop(), [], True
            try:
                self._work(request)
            finally:
                with self._ready:
                    self._busy = False
                    self.done += 1
                    self._ready.notify_all()
