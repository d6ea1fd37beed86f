"""The panel of notebook 07: choose a face, a method and an expression, and see what comes of it while a slider moves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from ipywidgets import FloatSlider

from fersyn.errors import FersynError
from fersyn.explore import choices, keep, newcomer, opening, view
from fersyn.explore.choices import Face
from fersyn.explore.controls import Panel, PhotoPicker
from fersyn.explore.measures import Measures, ready
from fersyn.explore.newcomer import NEW, Newcomer
from fersyn.explore.painter import Method, Painter, Request
from fersyn.explore.uploaded import Uploaded
from fersyn.methods.base import Synthesiser
from fersyn.reporting.project import locate
from fersyn.training import model

PHOTO = "your photograph"
NONE = "none"


class Explorer(Panel):
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
        self._tables, notes = choices.open_tables(tables, profile)
        self._train_table = keep.shown(locate(first or f"data/{profile}/rendered"))
        self._loaded: dict[Path, Synthesiser] = {}
        self._photo: Uploaded | None = None
        self._face: Face | None = None
        self._newcomer: Newcomer | None = None
        self._nth = 0  # of the newcomer, among those of the seed
        self._quiet = False
        below = keep.shown(locate(self._runs_folder))
        missing = f"No run is trained yet below {below}. One of these makes one; then press: Look for new runs."
        picker = PhotoPicker(self.upload, lambda text: self.status.fail("act", text))
        super().__init__(picker, view.PIECES.failed(missing))
        table = next((each for each in self._tables.values() if first and each.path == locate(first)), None)
        measures, more = ready(table, first, judge_epochs, seed)
        self._nobody_new = newcomer.lacking()
        more += [self._nobody_new] if self._nobody_new else []
        self.painter = Painter(self, measures)
        self._find_runs()
        self._offer_tables()
        self._connect()
        self._choose_table()
        if not self._tables:
            self._guarded(lambda: self._take(*choices.portrait(), unsaved=True))
        self._guarded(lambda: self._open(measures))
        self._say(" ".join([*notes, *more]))
        self.wait(600)  # what is shown first is finished, in a notebook run in batch too

    def _open(self, measures: Measures) -> None:
        """Show first what its recognisers agree with, if any of the first people and expressions is such."""
        self.wait(600)  # the instruments are the worker's, too
        request = self._request()
        if request is None:
            return
        faces = [request.face]
        if request.face.row is not None:
            table = self._tables[self.set_.value]
            faces = [choices.of_table(table, row, keep.shown(table.path)) for row in choices.first_faces(table)]
        found = opening.agreed(
            measures, faces, request.wish, self.wish.expression.options, request.methods[0].synthesiser
        )
        if found is None:
            return
        with self._still():
            self.wish.expression.value = found[1]
            if found[0].row is not None:
                self.person.value = found[0].person
        self._choose_person() if found[0].row is not None else self._ask()

    def _connect(self) -> None:
        for widgets, react in (
            ([self.set_], self._choose_table), ([self.person], self._choose_person),
            ([self.picture], self._choose_picture), ([self.number], self._choose_number),
            ([self.seed], partial(self._meet, 0)),
            ([self.run, self.beside], self._choose_run), (self.wish.all, self._ask),
        ):  # fmt: skip
            for each in widgets:
                each.observe(lambda _, react=react: None if self._quiet else self._guarded(react), "value")
        keeping = [(button, partial(self._keep, kind)) for kind, button in self.keep.items()]
        clicked = (
            (self.wish.reset, partial(self._reset, self.wish.handles)), (self.again, self._look_again),
            (self.wish.calm, partial(self._reset, self.wish.actions)), (self.next, lambda: self._meet(self._nth + 1)),
        )  # fmt: skip
        for button, react in (*clicked, *keeping):
            button.on_click(lambda _, react=react: self._guarded(react))

    # Choosing

    def _find_runs(self) -> None:
        self._runs = choices.find_runs(locate(self._runs_folder)) | choices.shipped()
        names, chosen, beside = list(self._runs), self.run.value, self.beside.value
        self.notice.layout.display = "none" if names else None
        below = keep.shown(locate(self._runs_folder))
        self.train[0].text, self.train[1].text = keep.how_to_train(self._train_table, below, self._profile)
        wrong = []

        def first_of(asked: list[str]) -> Method | None:
            """A run that cannot be read (of another version, or damaged) is told, and the next one taken."""
            for name in asked:
                try:
                    return self._load(name)
                except FersynError as error:
                    wrong.append(view.PIECES.failed(str(error)))
            return None

        using = first_of(sorted(names, key=lambda name: name != chosen))
        second = first_of([beside]) if using and beside in names else None
        self._using = tuple(filter(None, (using, second)))
        with self._still():
            self.run.options, self.beside.options = names, [NONE, *names]
            self.run.value = using.name if using else next(iter(names), None)
            self.beside.value = second.name if second else NONE
        self.status.put("runs", "".join(dict.fromkeys(wrong)))
        self._show_method()

    def _look_again(self) -> None:
        self._loaded.clear()  # one of them may be trained anew
        self._find_runs()
        if self._face is None:
            self._choose_table()
        elif self._face.photo is not None:
            self._face = self._photo.cut(self._size, self._face)
        count = len(self._runs) - len(choices.shipped())
        self._say(f"{count} run{'s' * (count != 1)} below {keep.shown(locate(self._runs_folder))}.")
        self._ask()

    def _load(self, name: str) -> Method:
        path = self._runs[name]
        if path not in self._loaded:
            self._loaded[path] = model.load(path)
        return Method(name, path, self._loaded[path])

    def _choose_run(self) -> None:
        before = self._using
        wanted = [self.run.value, *([self.beside.value] if self.beside.value != NONE else [])]
        try:
            self._using = tuple(map(self._load, wanted))
            if self._photo is not None and self._face is not None and self._face.photo is not None:
                self._face = self._photo.cut(self._size, self._face)
        except FersynError:
            self._using = before
            with self._still():
                self.run.value = before[0].name if before else None
                self.beside.value = before[1].name if len(before) > 1 else NONE
            raise
        self._show_method()
        self._ask()

    @property
    def _methods(self) -> tuple[Method, ...]:
        """Those in use: a new person's mapper takes the place of the chosen run."""
        if self.set_.value != NEW or self._newcomer is None:
            return self._using
        return (Method(self._newcomer.name, None, self._newcomer), *self._using[1:])

    def _show_method(self) -> None:
        using = self._methods
        for number, card in enumerate(self.cards):
            card.show(number < len(using))
        if using:
            first, *others = (each.synthesiser.expressions for each in using)
            with self._still():
                self.wish.offer(name for name in first if all(name in other for other in others))
        able = any(each.synthesiser.needs_landmarks for each in using)
        for each in (*self.wish.handles.values(), self.wish.reset):
            each.disabled = not able
        for each in self.keep.values():
            each.disabled = not using

    def _offer_tables(self) -> None:
        with self._still():
            before = self.set_.value
            self.set_.options = [
                *self._tables, *([PHOTO] if self._photo is not None else []), *([] if self._nobody_new else [NEW])
            ]  # fmt: skip
            self.set_.value = before if before else next(iter(self._tables), None)

    def _choose_table(self) -> None:
        photo, new = self.set_.value == PHOTO, self.set_.value == NEW
        for each in (self.person, self.picture):
            each.layout.display = "none" if photo or new or not self._tables else None
        for each in (self.seed, self.next, self.wish.single):
            each.layout.display = None if new else "none"
        self.run.disabled = self.wish.second.disabled = new
        with self._still():
            self.wish.second.value = "" if new else self.wish.second.value
            for each in () if new else self.wish.actions.values():
                each.value = 0
        if new:
            self._meet(self._nth)
            return
        self._show_method()
        self.set_.layout.display = None if self.set_.options else "none"
        self.number.layout.display = None if photo and len(self._photo.faces) > 1 else "none"
        if photo:
            self._choose_number()
            return
        if self.set_.value is None:
            self._show_face()
            return
        table = self._tables[self.set_.value]
        people, first = choices.people_of(table), choices.first_person(table)
        with self._still():
            self.person.options = people if first is not None else [("choose a person", ""), *people]
            self.person.value = first or ""
        self._choose_person()

    def _choose_person(self) -> None:
        if not self.person.value:
            self._face = None
            self._show_face()
            return
        with self._still():
            self.picture.options = choices.pictures_of(self._tables[self.set_.value], self.person.value)
            self.picture.index = 0
        self._choose_picture()

    def _choose_picture(self) -> None:
        table = self._tables[self.set_.value]
        self._face = choices.of_table(table, int(self.picture.value), keep.shown(table.path))
        self._show_face()
        self._ask()

    def _choose_number(self) -> None:
        if self._photo is not None:
            self._face = self._photo.faces[min(self.number.value or 0, len(self._photo.faces) - 1)]
            self._show_face()
            self._ask()

    def _meet(self, number: int) -> None:
        """Show the new person of that number, 0 .. of the seed."""
        self._say("Looking for somebody ...")
        self._newcomer, self._face = newcomer.meet(self.seed.value, number)
        self._nth = number
        self._show_method()
        self._show_face()
        self._say("")
        self._ask()

    def upload(self, name: str, data: bytes, camera: bool = False) -> None:
        """Take a photograph as the browser sends it; what is no picture, or shows no face, is a line in the panel.

        Args:
            name: of its file.
            data: the file.
            camera: whether it is a snapshot, which has no file yet: it is written when the result is saved.
        """
        name = time.strftime("camera-%Y%m%d-%H%M%S.jpg") if camera else name
        self._guarded(lambda: self._take(name, data, camera))

    def _take(self, name: str, data: bytes, unsaved: bool) -> None:
        """`unsaved`: it has no file yet."""
        self._say(f"Looking for faces in {name} ...")
        photo = Uploaded(name, data, locate(self._saved_folder) / name if unsaved else None)
        self._face, self._photo = photo.cut(self._size, self._face), photo
        self._offer_tables()
        with self._still():
            self.number.options = [(str(k + 1), k) for k in range(len(photo.faces))]
            self.set_.value = PHOTO
        self._choose_table()
        self._say(photo.told(self._face))

    @property
    def _size(self) -> int:
        """Side of the crops that the chosen method asks for, px."""
        return self._using[0].synthesiser.size if self._using else 128

    def _reset(self, sliders: Mapping[str, FloatSlider]) -> None:
        with self._still():
            for each in sliders.values():
                each.value = 0
        self._ask()

    # Showing

    def _show_face(self) -> None:
        if self._face is None:
            self.source.value = b""
            nobody = "Nobody in this set may be shown in public: choose a person, for your eyes only."
            self.about.value = view.PIECES.small(nobody if self._tables else "Upload a photograph, or use the camera.")
            return
        self.source.value = view.jpeg(view.enlarged(self._face.crop))
        self.title.value, self.about.value = (
            view.PIECES.titled("As it is", self._face.title),
            view.PIECES.small(self._known()),
        )
        self.source.tooltip = f"The face as it is: {self._face.title}"

    def _known(self) -> str:
        """Whether the chosen run was trained on this person, as far as that is recorded; of a new one, what it is."""
        if self.set_.value == NEW:
            return newcomer.about()
        with suppress(FersynError):
            if self._face.row is not None and self._using:
                seen = self.person.value in model.people(self._using[0].run)
                return "The method was trained on this person." if seen else "The method has never seen this person."
        return ""

    def _request(self) -> Request | None:
        return Request(self._face, self.wish.wish, using) if self._face and (using := self._methods) else None

    def _ask(self) -> None:
        self.wish.show_what_matters()
        request = self._request()
        if request is not None:
            self.painter.worker.ask(request)

    def wait(self, seconds: float = 60) -> bool:
        """Wait until the picture is that of the sliders; False after so many seconds."""
        return self.painter.worker.wait(seconds)

    # Keeping

    def _keep(self, kind: str) -> None:
        request = self._request()
        if request is None:
            raise FersynError("there is nothing to save yet: choose a face and a method")
        self._say("Saving ...")
        face, folder, synthesiser = request.face, locate(self._saved_folder), request.methods[0].synthesiser
        try:
            path = keep.save(kind, folder, face, request.wish, synthesiser)
            if face.photo is not None:
                self._photo.write()
        except OSError as error:  # a full disk, a folder that one may only read
            cure = "make room, or give another folder: saved=..."
            raise FersynError(f"{error.filename or folder}: {error.strerror or error}; {cure}") from None
        self.last_saved = path
        self.status.put("act", view.saved(path, keep.shown(path)))

    # Telling

    @contextmanager
    def _still(self) -> Iterator[None]:
        """While it lasts, what the panel sets itself counts as no change by a person."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def _guarded(self, react: Callable[[], Any]) -> Any:
        self.status.forget()
        try:
            return react()
        except Exception as error:  # ipywidgets would swallow it
            self.status.fail("act", error)

    def _say(self, text: str) -> None:
        self.status.put("act", view.PIECES.told(text) if text else "")

    def close(self) -> None:
        """Remove the panel and end its thread."""
        self.painter.worker.close()
        super().close()
