"""The panel of notebook 07: choose a face, a method and an expression, and see what comes of it while a slider moves."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np

from fersyn.editing import BLURRED, as_bytes, expressions_of
from fersyn.errors import FersynError
from fersyn.explore import again, browser, controls, face, keep, pictures, runs, samples, view
from fersyn.explore.again import Wish
from fersyn.explore.face import Face
from fersyn.explore.judge import judge_of
from fersyn.explore.latest import Latest
from fersyn.explore.measures import Measures
from fersyn.methods.base import Synthesiser
from fersyn.reporting.project import locate
from fersyn.table import FaceTable
from fersyn.training.runs import load, trained_people

MEASURED = 0.25  # s: while a slider moves, identity and recogniser follow at least so often
PHOTO = "your photograph"
NONE = "none"


@dataclass(frozen=True)
class _Method:
    name: str
    run: Path
    synthesiser: Synthesiser


@dataclass(frozen=True)
class _Request:
    """All that the worker needs: what the panel holds may be another's by then."""

    face: Face
    wish: Wish
    methods: tuple[_Method, ...]


class Explorer(widgets.VBox):
    """A widget: the last line of a cell shows it.

    The picture is made in a thread of its own, from the newest position of the sliders; positions passed over meanwhile
    are dropped, so that it never lags. Errors that a user can mend are a line in the panel, and what was shown stays.
    Until somebody chooses another, only a face that may be shown in public is there; nothing is written but by the
    buttons for it.

    Args:
        tables: folders of face tables whose faces are offered, below the project's root or anywhere.
        runs: folder of the run folders; empty: runs/<profile>.
        judge_epochs: passes of the recogniser's training; it learns from the training people of the first table, once,
            and is kept there; never from another table. 0: no recogniser.
        seed: of that training.
        saved: folder for saved pictures.
        profile: the one whose commands are told where a table or a run is missing.
    """

    def __init__(
        self,
        tables: Sequence[str | Path] = (),
        runs: str | Path = "",
        judge_epochs: int = 30,
        seed: int = 0,
        saved: str | Path = "data/explored",
        profile: str = "laptop",
    ):
        self._runs_folder, self._saved_folder, self._profile = Path(runs or f"runs/{profile}"), Path(saved), profile
        self.last_saved: Path | None = None
        first = str(next(iter(tables), ""))
        self._tables, notes = _open(tables, profile)
        self._train_table = again.shown(locate(first or f"data/{profile}/rendered"))
        self._loaded: dict[Path, Synthesiser] = {}
        self._photo: tuple[str, np.ndarray, bytes, str] | None = None
        self._faces: list[Face] = []
        self._cut_size = 0
        self._face: Face | None = None
        self._snapshot: Path | None = None
        self._quiet, self._measured_at = False, 0.0
        self._worker = Latest(self._work)
        self._measures, more = self._instruments(first, judge_epochs, seed)
        self._build()
        self._find_runs()
        self._offer_tables()
        super().__init__([widgets.HTML(view.STYLE), self._notice, self._columns])
        self.add_class("fersyn-explorer")
        self._connect()
        self._choose_table()
        self._say(" ".join([*notes, *more]))
        self.wait(600)  # what is shown first is finished, in a notebook run in batch too

    # Building

    def _instruments(self, path: str, epochs: int, seed: int) -> tuple[Measures, list[str]]:
        judge, notes = None, []
        table = next((table for table in self._tables.values() if path and table.path == locate(path)), None)
        if epochs > 0:
            judge, how = None, f"it would learn from {path or 'the first table'}, which is not there"
            if table is not None:
                judge, how = judge_of(table, epochs, seed)
            if judge is None:
                notes.append(f"There is no recogniser: {how}.")
            else:
                notes.append(
                    f"The recogniser knows the faces of {judge.people} training people of {table.path.name}; {how}."
                )
        measures = Measures(judge)
        return measures, [*notes, *(f"{sentence}." for sentence in measures.missing())]

    def _build(self) -> None:
        self.set_ = controls.dropdown("From", "A face table, or a photograph of yours")
        self.person = controls.dropdown("Person", "People of the hold-out come first: no method has seen them")
        self.picture = controls.dropdown("Picture", "Which of the person's pictures")
        self.number = controls.dropdown("Face", "Which face of the photograph, from the left")
        self.picker = browser.Picker(self.upload, self._complain)
        self.run = controls.dropdown("Method", "A trained run")
        self.beside = controls.dropdown("Beside it", "A second run, shown next to the first")
        self.again = controls.button("Look for new runs", "Look again which runs are trained")
        self.wish = controls.WishControls()
        self.source = controls.picture(232, "The face as it is")
        self._title, self._about = widgets.HTML(view.titled("As it is", " ")), widgets.HTML()
        self.cards = [controls.Card(True), controls.Card(False)]
        self.keep = controls.keep_buttons()
        self.status = controls.Status()
        self.code = browser.CodeLine(label="This picture again, in Python")
        self.shell = browser.CodeLine(label="In a shell, in the project's folder")
        self.train = [
            browser.CodeLine(label=label)
            for label in ("The whole report, in a shell, in the project's folder", "Or one method alone")
        ]

        wish = self.wish
        left = widgets.VBox(
            [
                controls.group("Face"), self.set_, self.person, self.picture, self.number, self.picker,
                controls.group("Method"), self.run, self.beside, self.again,
                controls.group("Expression"), wish.expression, wish.intensity, wish.second, wish.share,
                controls.group("Handles"), *wish.handles.values(), wish.reset,
            ],
            layout=widgets.Layout(flex="1 1 280px", min_width="250px", max_width="340px"),
        )  # fmt: skip
        left.add_class("fersyn-controls")
        source = widgets.VBox([self._title, self.source, self._about], layout=widgets.Layout(width="236px"))
        source.add_class("fersyn-card")
        made = widgets.HBox(
            [card.box for card in self.cards], layout=widgets.Layout(flex_flow="row wrap", max_width="100%")
        )
        shown = widgets.HBox([source, made], layout=widgets.Layout(flex_flow="row wrap"))
        for each in (made, shown):
            each.add_class("fersyn-pictures")
        buttons = widgets.HBox(list(self.keep.values()))
        buttons.add_class("fersyn-keep")
        right = widgets.VBox(
            [self.status, shown, controls.group("Keep it"), buttons, self.code, self.shell],
            layout=widgets.Layout(flex="3 1 240px", min_width="0"),
        )
        self._columns = widgets.HBox([left, right], layout=widgets.Layout(flex_flow="row wrap"))
        self._columns.add_class("fersyn-columns")
        folder = again.shown(locate(self._runs_folder))
        text = view.failed(
            f"No run is trained yet below {folder}. One of these makes one; then press: Look for new runs."
        )
        self._notice = widgets.VBox([widgets.HTML(text), *self.train], layout=widgets.Layout(max_width="760px"))
        self._notice.add_class("fersyn-notice")

    def _connect(self) -> None:
        def on(widget, react):
            widget.observe(lambda _: None if self._quiet else self._guarded(react), "value")

        on(self.set_, self._choose_table)
        on(self.person, self._choose_person)
        on(self.picture, self._choose_picture)
        on(self.number, self._choose_number)
        on(self.run, self._choose_run)
        on(self.beside, self._choose_run)
        for each in self.wish.all:
            on(each, self._ask)
        self.wish.reset.on_click(lambda _: self._guarded(self._reset))
        self.again.on_click(lambda _: self._guarded(self._look_again))
        for kind, each in self.keep.items():
            each.on_click(lambda _, kind=kind: self._guarded(lambda: self._keep(kind)))

    # Choosing

    def _find_runs(self) -> None:
        self._runs = runs.find_runs(locate(self._runs_folder))
        chosen, beside = self.run.value, self.beside.value
        names = list(self._runs)
        with _Still(self):
            self.run.options = names
            self.run.value = chosen if chosen in names else next(iter(names), None)
            self.beside.options = [NONE, *names]
            self.beside.value = beside if beside in names else NONE
        self._notice.layout.display = "none" if names else None
        report, alone = runs.how_to_train(self._train_table, again.shown(locate(self._runs_folder)), self._profile)
        self.train[0].text, self.train[1].text = report, alone
        # A run that cannot be read (of another version, or damaged) is told, and the next one taken.
        using, wrong = None, []
        for name in dict.fromkeys([self.run.value, *names]) if names else ():
            try:
                using = self._load(name)
            except FersynError as error:
                wrong.append(view.failed(str(error)))
                continue
            with _Still(self):
                self.run.value = name
            break
        self._using: tuple[_Method, ...] = (using,) if using else ()
        if using and self.beside.value != NONE:
            try:
                self._using = (using, self._load(self.beside.value))
            except FersynError as error:
                wrong.append(view.failed(str(error)))
                with _Still(self):
                    self.beside.value = NONE
        self.status.put("runs", "".join(dict.fromkeys(wrong)))
        self._show_method()

    def _look_again(self) -> None:
        self._loaded.clear()  # one of them may be trained anew
        self._find_runs()
        if self._face is None:
            self._choose_table()
        elif self._face.photo is not None:
            self._cut()
        count = len(self._runs)
        self._say(f"{count} run{'s' * (count != 1)} below {again.shown(locate(self._runs_folder))}.")
        self._ask()

    def _load(self, name: str) -> _Method:
        path = self._runs[name]
        if path not in self._loaded:
            self._loaded[path] = load(path)
        return _Method(name, path, self._loaded[path])

    def _choose_run(self) -> None:
        before = self._using
        wanted = [self.run.value, *([self.beside.value] if self.beside.value != NONE else [])]
        try:
            self._using = tuple(map(self._load, wanted))
            if self._photo is not None and self._face is not None and self._face.photo is not None:
                self._cut()
        except FersynError:
            self._using = before
            with _Still(self):
                self.run.value = before[0].name if before else None
                self.beside.value = before[1].name if len(before) > 1 else NONE
            raise
        self._show_method()
        self._ask()

    def _show_method(self) -> None:
        for number, card in enumerate(self.cards):
            card.show(number < len(self._using), narrow=len(self._using) > 1)
        if self._using:
            first, *others = (expressions_of(each.synthesiser) for each in self._using)
            with _Still(self):
                self.wish.offer(name for name in first if all(name in other for other in others))
        able = any(each.synthesiser.needs_landmarks for each in self._using)
        for each in (*self.wish.handles.values(), self.wish.reset):
            each.disabled = not able
        for each in self.keep.values():
            each.disabled = not self._using

    def _offer_tables(self) -> None:
        options = [(name, name) for name in self._tables]
        with _Still(self):
            before = self.set_.value
            self.set_.options = [*options, *([(PHOTO, PHOTO)] if self._photo is not None else [])]
            self.set_.value = before if before else next(iter(self._tables), None)

    def _choose_table(self) -> None:
        photo = self.set_.value == PHOTO
        for each in (self.person, self.picture):
            each.layout.display = "none" if photo or not self._tables else None
        self.set_.layout.display = None if self.set_.options else "none"
        self.number.layout.display = None if photo and len(self._faces) > 1 else "none"
        if photo:
            self._choose_number()
            return
        if self.set_.value is None:
            self._show_face()
            return
        table = self._tables[self.set_.value]
        people = samples.people_of(table)
        first = samples.first_person(table)
        with _Still(self):
            self.person.options = people if first is not None else [("choose a person", ""), *people]
            self.person.value = first or ""
        self._choose_person()

    def _choose_person(self) -> None:
        if not self.person.value:
            self._face = None
            self._show_face()
            return
        with _Still(self):
            offered = samples.pictures_of(self._tables[self.set_.value], self.person.value)
            self.picture.options = offered
            self.picture.value = offered[0][1]
        self._choose_picture()

    def _choose_picture(self) -> None:
        table = self._tables[self.set_.value]
        self._face = face.of_table(table, int(self.picture.value), again.shown(table.path))
        self._show_face()
        self._ask()

    def _choose_number(self) -> None:
        if self._faces:
            self._face = self._faces[min(self.number.value or 0, len(self._faces) - 1)]
            self._show_face()
            self._ask()

    def upload(self, name: str, data: bytes, camera: bool = False) -> None:
        """Take a photograph as the browser sends it; what is no picture, or shows no face, is a line in the panel.

        Args:
            name: of its file.
            data: the file.
            camera: whether it is a snapshot, which has no file yet: it is written when the result is saved.
        """
        self._guarded(lambda: self._take(name, data, camera))

    def _take(self, name: str, data: bytes, camera: bool) -> None:
        self._say(f"Looking for faces in {name} ...")
        snapshot = None
        if camera:
            snapshot = locate(self._saved_folder) / time.strftime("camera-%Y%m%d-%H%M%S.jpg")
            name = snapshot.name
        photo = face.read_bytes(name, data)
        before = self._photo, self._faces, self._face, self._snapshot
        self._photo = (name, photo, data, again.shown(snapshot) if snapshot else name)
        try:
            self._faces = []
            self._cut()
        except FersynError:
            self._photo, self._faces, self._face, self._snapshot = before
            raise
        self._snapshot = snapshot
        self._offer_tables()
        with _Still(self):
            self.number.options = [(str(k + 1), k) for k in range(len(self._faces))]
            self.set_.value = PHOTO
        self._choose_table()
        many = f"{len(self._faces)} faces, from the left" if len(self._faces) > 1 else "one face"
        small = self._face.found.enlarged > BLURRED
        self._say(f"{name}: {many}." + (" It is small: expect a soft result." if small else ""))

    def _cut(self) -> None:
        """The photograph's faces, at the size that the chosen method asks for."""
        name, photo, data, origin = self._photo
        size = self._using[0].synthesiser.size if self._using else 128
        if not self._faces or self._cut_size != size:
            self._faces, self._cut_size = face.of_photo(photo, name, size, data, origin), size
            chosen = self._face.number - 1 if self._face is not None and self._face.photo is photo else 0
            self._face = self._faces[min(chosen, len(self._faces) - 1)]

    def _reset(self) -> None:
        with _Still(self):
            for each in self.wish.handles.values():
                each.value = 0
        self._ask()

    # Showing

    def _show_face(self) -> None:
        if self._face is None:
            self.source.value = b""
            nobody = "Nobody in this set may be shown in public: choose a person, for your eyes only."
            self._about.value = view.caption(nobody if self._tables else "Upload a photograph, or use the camera.")
            return
        self.source.value = pictures.jpeg(pictures.enlarged(self._face.crop))
        self._title.value, self._about.value = view.titled("As it is", self._face.title), view.caption(self._known())
        self.source.tooltip = f"The face as it is: {self._face.title}"

    def _known(self) -> str:
        """Whether the chosen run was trained on this person, as far as that is recorded."""
        if self._face.row is None or not self._using:
            return ""
        try:
            people = trained_people(self._using[0].run)
        except FersynError:
            return ""
        seen = self.person.value in people
        return "The method was trained on this person." if seen else "The method has never seen this person."

    def _request(self) -> _Request | None:
        if self._face is None or not self._using:
            return None
        return _Request(self._face, self.wish.wish, self._using)

    def _ask(self) -> None:
        self.wish.show_what_matters()
        request = self._request()
        if request is not None:
            self._worker.ask(request)

    def wait(self, seconds: float = 60) -> bool:
        """Wait until the picture is that of the sliders; False after so many seconds."""
        return self._worker.wait(seconds)

    def _work(self, request: _Request) -> None:
        """Make the pictures, then measure them unless something newer waits; runs in the worker's thread."""
        try:
            made = [self._show(card, request, each) for card, each in zip(self.cards, request.methods, strict=False)]
            self.status.put("work", "")
            self._write_code(request)
            now = time.monotonic()
            if not self._worker.waiting or now - self._measured_at > MEASURED:
                for card, (crop, points) in zip(self.cards, made, strict=False):
                    source = request.face.landmarks
                    found = self._measures.of(request.face.crop, source, crop, source if points is None else points)
                    card.measures.value = view.measures(found, (request.wish.expression, request.wish.second))
                self._measured_at = time.monotonic()
        except FersynError as error:
            self.status.put("work", view.failed(str(error)))
        except Exception as error:  # a fault of ours must not end the thread
            self.status.put("work", view.failed(_fault(error)))

    def _show(self, card: controls.Card, request: _Request, method: _Method):
        wish, source, name, synthesiser = request.wish, request.face, method.name, method.synthesiser
        shaped = wish.shape(synthesiser)
        pixels, points = source.tensors()
        target = shaped.target(points, wish.expression, wish.intensity, len(source.crop))
        made = shaped.edit(pixels, wish.expression, wish.intensity, target, points)
        crop = as_bytes(made)[0]
        target = None if target is None else target[0].numpy()
        card.result.value = pictures.jpeg(pictures.enlarged(crop))
        card.difference.value = pictures.jpeg(pictures.enlarged(pictures.difference(source.crop, crop), 160))
        card.landmarks.value = pictures.jpeg(pictures.with_landmarks(crop, source.landmarks, target, 176))
        deaf = target is None and wish.amounts
        told = f"{wish.words} (it looks at no landmarks: handles do nothing)" if deaf else wish.words
        card.title.value = view.titled(name, told)
        card.result.tooltip = f"{name}: {source.title}, {wish.words}"
        return crop, target

    def _write_code(self, request: _Request) -> None:
        run, file = again.shown(request.methods[0].run), f"{request.wish.expression}.png"  # no pixel is lost in a PNG
        self.code.text = again.python_line(run, request.face, request.wish, file)
        self.shell.text = again.shell_line(run, request.face, request.wish, file)

    # Keeping

    def _keep(self, kind: str) -> None:
        request = self._request()
        if request is None:
            raise FersynError("there is nothing to save yet: choose a face and a method")
        self._say("Saving ...")
        folder, wish = locate(self._saved_folder), request.wish
        synthesiser = request.methods[0].synthesiser
        person = Path(request.face.title.split(",")[0]).stem
        stem = "-".join([_plain(person), wish.expression, f"{wish.intensity:.0%}".rstrip("%")])
        try:
            if kind == "picture":
                suffix = ".png" if request.face.row is not None else _suffix(request.face.title)
                crop = request.face.edited(wish.shape(synthesiser), wish.expression, wish.intensity)
                path = keep.save_picture(keep.free(folder, stem, suffix), request.face, crop)
            else:
                frames = keep.sweep(request.face, synthesiser, wish)
                path = keep.free(folder, stem, f".{kind}")
                (keep.save_gif if kind == "gif" else keep.save_mp4)(path, frames)
            if self._snapshot is not None and request.face.photo is not None and not self._snapshot.exists():
                self._snapshot.write_bytes(request.face.data)  # the line of Python names it
        except OSError as error:  # a full disk, a folder that one may only read
            raise FersynError(
                f"{error.filename or folder}: {error.strerror or error}; make room, or give another folder: saved=..."
            ) from None
        self.last_saved = path
        self.status.put("act", view.saved(path, again.shown(path)))

    # Telling

    def _guarded(self, react) -> Any:
        self.status.forget()
        try:
            return react()
        except FersynError as error:
            self._complain(str(error))
        except Exception as error:  # ipywidgets would swallow it
            self._complain(_fault(error))

    def _say(self, text: str) -> None:
        self.status.put("act", view.told(text) if text else "")

    def _complain(self, text: str) -> None:
        self.status.put("act", view.failed(text))

    def close(self) -> None:
        """Remove the panel and end its thread."""
        self._worker.close()
        super().close()


class _Still:
    """While it lasts, what the panel sets itself counts as no change by a person."""

    def __init__(self, explorer: Explorer):
        self._explorer = explorer

    def __enter__(self) -> None:
        self._before, self._explorer._quiet = self._explorer._quiet, True

    def __exit__(self, *_) -> None:
        self._explorer._quiet = self._before


def _fault(error: Exception) -> str:
    """A fault of ours as a sentence; its traceback goes to the log."""
    traceback.print_exc(file=sys.__stderr__)
    return f"{type(error).__name__}: {error} (a fault of fersyn; the traceback is in Jupyter's log)"


def _open(tables: Sequence[str | Path], profile: str) -> tuple[dict[str, FaceTable], list[str]]:
    """The tables that are there, by folder name, and a sentence for each that is not."""
    found, notes = {}, []
    for path in tables:
        if not str(path):
            continue
        try:
            table = FaceTable.open(locate(path))
        except FersynError as error:
            notes.append(
                f"{error}; or all of them, in a shell, in the project's folder: make report PROFILE={profile}."
            )
        else:
            found[table.path.name if table.path.name not in found else str(path)] = table
    return found, notes


def _plain(text: str) -> str:
    """A name for a file."""
    return "".join(sign if sign.isalnum() or sign in "-_" else "-" for sign in text).strip("-") or "face"


def _suffix(name: str) -> str:
    """The format to save a photograph's edit in: its own where that is written here, otherwise JPEG."""
    suffix = Path(name.split(",")[0]).suffix.lower()
    return suffix if suffix in (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff") else ".jpg"
