"""What the panel shows is made in a thread of its own, always from the newest position of the sliders."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fersyn.editing import as_images, tensors
from fersyn.explore import keep, view
from fersyn.explore.choices import Face
from fersyn.explore.controls import Card, Panel
from fersyn.explore.measures import Measures
from fersyn.explore.newcomer import Newcomer
from fersyn.explore.shaped import Wish
from fersyn.methods.base import Synthesiser
from fersyn.training import model

SLOW = 0.5  # s: a method that takes longer says how long, so that nobody takes a slider for stuck
MEASURED = 0.25  # s: while a slider moves, identity and recogniser follow at least so often


@dataclass(frozen=True)
class Method:
    """A trained run in use: its name in the panel, its folder (None: a new person's, who has none), and what edits."""

    name: str
    run: Path | None
    synthesiser: Synthesiser


@dataclass(frozen=True)
class Request:
    """All that is needed to show a face: what the panel holds may be another's by then."""

    face: Face
    wish: Wish
    methods: Sequence[Method]


class Painter:
    """Fills the panel's cards, status line and lines of code.

    Args:
        panel: where it is shown.
        measures: what is measured of the result.
    """

    def __init__(self, panel: Panel, measures: Measures):
        self._panel, self._measures, self._measured_at = panel, measures, 0.0
        self.worker = Latest(self.work)

    def work(self, request: Request) -> None:
        """Make the pictures, then measure them unless something newer waits; runs in the worker's thread."""
        panel = self._panel
        try:
            made = [self._show(card, request, each) for card, each in zip(panel.cards, request.methods, strict=False)]
            panel.status.put("work", "")
            self._write_code(request)
            now = time.monotonic()
            if not self.worker.waiting or now - self._measured_at > MEASURED:
                for card, (crop, points) in zip(panel.cards, made, strict=False):
                    source = request.face.landmarks
                    found = self._measures.of(request.face.crop, source, crop, source if points is None else points)
                    card.measures.value = view.measures(found, (request.wish.expression, request.wish.second))
                self._measured_at = time.monotonic()
        except Exception as error:  # must not end the thread
            panel.status.fail("work", error)

    def _show(self, card: Card, request: Request, method: Method) -> tuple[np.ndarray, np.ndarray | None]:
        """The edited crop, uint8 RGB (S, S, 3), and the landmarks (68, 2) px that were asked for."""
        wish, source, name = request.wish, request.face, method.name
        if not isinstance(method.synthesiser, Newcomer):
            wish = replace(wish, actions={})
        begun = time.thread_time()
        crop, target = changed(source, wish, method.synthesiser)
        seconds = time.thread_time() - begun
        card.result.value, card.difference.value, card.landmarks.value = drawn(source, crop, target)
        deaf = target is None and wish.amounts
        told = f"{wish.words} (it looks at no landmarks: handles do nothing)" if deaf else wish.words
        told += f"; {seconds:.1f} s a picture" if seconds > SLOW else ""
        card.title.value = view.PIECES.titled(name, told)
        card.result.tooltip = f"{name}: {source.title}, {wish.words}"
        return crop, target

    def _write_code(self, request: Request) -> None:
        first, file = request.methods[0], f"{request.wish.expression}.png"  # no pixel is lost in a PNG
        if isinstance(first.synthesiser, Newcomer):
            python, shell = keep.drawn_lines(first.synthesiser, request.wish, file)
            self._panel.code.text, self._panel.shell.text = python, shell
            return
        run = "" if first.run == model.SHIPPED else keep.shown(first.run)
        self._panel.code.text = keep.python_line(run, request.face, request.wish, file)
        self._panel.shell.text = keep.shell_line(run, request.face, request.wish, file)


def changed(face: Face, wish: Wish, synthesiser: Synthesiser) -> tuple[np.ndarray, np.ndarray | None]:
    """The face as wished, uint8 RGB (S, S, 3), and the landmarks (68, 2) px that were asked for; None: of none."""
    shaped = wish.shape(synthesiser.without([face.person]))
    pixels, points = tensors(face)
    target = shaped.target(points, wish.expression, wish.intensity, len(face.crop))
    made = shaped.edit(pixels, wish.expression, wish.intensity, target, points)
    return as_images(made)[0], None if target is None else target[0].numpy()


def drawn(face: Face, crop: np.ndarray, target: np.ndarray | None) -> tuple[bytes, bytes, bytes]:
    """A card's pictures as JPEG: the result, what changed, and the landmarks."""
    return (
        view.jpeg(view.enlarged(crop)),
        view.jpeg(view.enlarged(view.difference(face.crop, crop), 256)),
        view.jpeg(view.with_landmarks(crop, face.landmarks, target, 378)),
    )


class Latest:
    """One thread, one place to wait: a slider that moves faster than the work never makes it lag behind.

    Args:
        work: called in the thread with the newest request; it must not raise.

    Attributes:
        done, dropped: how many requests were worked on, and how many a newer one took the place of.
    """

    def __init__(self, work: Callable[[object], None]):
        self._work, self._newest = work, Future()
        self._newest.set_result(None)
        self._thread = ThreadPoolExecutor(1, "fersyn-explore")  # begins with the first request
        self.done = self.dropped = 0

    def ask(self, request: object) -> None:
        """Put a request in place of the one that waits, and return at once."""
        self.dropped += self._newest.cancel()
        self._newest = self._thread.submit(self._do, request)

    def _do(self, request: object) -> None:
        try:
            self._work(request)
        finally:
            self.done += 1

    @property
    def waiting(self) -> bool:
        """Whether there is something newer than what is worked on."""
        return not (self._newest.running() or self._newest.done())

    def wait(self, seconds: float = 60) -> bool:
        """Wait until nothing is left to do; False after so many seconds."""
        return not wait([self._newest], seconds).not_done

    def close(self) -> None:
        """End the thread after what it is doing."""
        self._thread.shutdown(wait=False, cancel_futures=True)
