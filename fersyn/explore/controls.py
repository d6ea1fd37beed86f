"""The panel as one sees it: controls, pictures and their places. What they do is in `fersyn.explore.explorer`.

Two parts are small anywidget modules, for ipywidgets has not what they do; their JavaScript lies beside (picker.js, copy.js)
and asks nothing of any network.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import anywidget
import ipywidgets as widgets
import traitlets

from fersyn.errors import FersynError
from fersyn.explore import view
from fersyn.explore.newcomer import SEED
from fersyn.explore.shaped import HANDLES, Wish
from fersyn.expressions import EXPRESSIONS, STRONGEST
from fersyn.generating.actions import LITTLE, WELL

LARGE, SMALL = 384, 189  # CSS px of a face, and of the two pictures below it
LARGEST = 200_000_000  # bytes of a file
HERE = Path(__file__).parent
_STYLE = {"description_width": "104px"}


def dropdown(title: str, help: str) -> widgets.Dropdown:
    """An empty dropdown."""
    return widgets.Dropdown(description=title, tooltip=help, layout=widgets.Layout(width="auto"), style=_STYLE)


def slider(title: str, help: str, value: float, least: float, most: float, form: str) -> widgets.FloatSlider:
    """A slider that tells every step of the way."""
    return widgets.FloatSlider(
        value, min=least, max=most, step=0.01, description=title, tooltip=help, readout_format=form,
        continuous_update=True, layout=widgets.Layout(width="auto"), style=_STYLE,
    )  # fmt: skip


def button(title: str, help: str) -> widgets.Button:
    """A button as wide as its text."""
    return widgets.Button(description=title, tooltip=help, layout=widgets.Layout(width="auto"))


def box(name: str, children: list, layout: widgets.Layout | None = None, kind=widgets.VBox) -> widgets.Box:
    """A box of the class `name`."""
    made = kind(children, layout=layout or widgets.Layout())
    made.add_class(name)
    return made


class WishControls:
    """Expression, intensity, blend, handles and single actions."""

    def __init__(self):
        self.expression = dropdown("Expression", "What the face is to show")
        self.intensity = slider("Intensity", "How strong: 0 not at all, 100 % a clear, posed expression",
                                1.0, 0, STRONGEST, ".0%")  # fmt: skip
        self.intensity.add_class("fersyn-intensity")
        self.second = dropdown("Blend with", "A second expression that is mixed in")
        self.share = slider("Its share", "0 %: the first expression alone; 100 %: the second alone", 0.5, 0, 1, ".0%")
        unit = "In distances of the eyes' centres"
        self.handles = {
            name: slider(each.title, f"{each.help}. {unit}", 0, each.least, each.most, "+.2f")
            for name, each in HANDLES.items()
        }
        self.reset = button("Handles to 0", "Let go of all four handles")
        help = "How far {} is to go beside the expression; without Left or Right, on both sides"
        self.actions = {name: slider(name, help.format(name), 0, 0, 0.9, "+.2f") for name in (*WELL, *LITTLE)}
        for each in self.actions.values():
            each.style.description_width = "124px"  # longer names than the others have
        self.calm = button("Actions to 0", "Let go of all single actions")
        self.single = box(
            "fersyn-controls",
            [
                group("Single actions"), *(self.actions[name] for name in WELL),
                widgets.HTML(view.PIECES.small("These move it less:")),
                *(self.actions[name] for name in LITTLE), self.calm,
            ],
        )  # fmt: skip
        self.offer(EXPRESSIONS[1:])

    def offer(self, expressions) -> None:
        """Offer the expressions that a method has learnt, and keep what was chosen where it is among them."""
        expressions = tuple(expressions)
        wanted, second = self.expression.value, self.second.value
        first = "happiness" if "happiness" in expressions else (*expressions, "neutral")[0]
        options = (*expressions, "neutral")
        if self.expression.options != options:
            self.expression.options = options
            self.expression.value = wanted if wanted in options else first
        options = (("nothing", ""), *((name, name) for name in expressions))
        if self.second.options != options:
            self.second.options = options
            self.second.value = second if second in expressions else ""

    @property
    def all(self) -> list:
        """Every control whose change is a new wish."""
        sliders = *self.handles.values(), *self.actions.values()
        return [self.expression, self.intensity, self.second, self.share, *sliders]

    @property
    def wish(self) -> Wish:
        """What they say."""
        second, intensity = self.second.value or "", round(self.intensity.value, 4)
        amounts, actions = (
            {name: round(each.value, 4) for name, each in sliders.items() if each.value}
            for sliders in (self.handles, self.actions)
        )
        return Wish(self.expression.value, intensity, second, self.share.value if second else 0.0, amounts, actions)

    def show_what_matters(self) -> None:
        """Grey out what has no effect now."""
        self.intensity.disabled = not self.wish.graded
        self.share.disabled = not self.second.value


class Status(widgets.HTML):
    """The status line: what is wrong with the runs, then what a person's last act came to, then what the worker failed at.

    Each stands until its own cause is over: the worker, who is done with an earlier request meanwhile, does not wipe what
    was told since.
    """

    def __init__(self):
        super().__init__()
        self.add_class("fersyn-status")
        self._parts, self._lock = {"runs": "", "act": "", "work": ""}, threading.Lock()

    def put(self, part: str, text: str) -> None:
        """Set a part, as HTML; empty: nothing."""
        with self._lock:  # the worker is a thread of its own
            self._parts[part] = text
            self.value = "".join(self._parts.values())

    def fail(self, part: str, what: str | Exception) -> None:
        """Set a part to a complaint; the traceback of a fault that is ours goes to Jupyter's log."""
        if isinstance(what, Exception) and not isinstance(what, FersynError):
            traceback.print_exception(what, file=sys.__stderr__)
            what = f"{type(what).__name__}: {what} (a fault of fersyn; the traceback is in Jupyter's log)"
        self.put(part, view.PIECES.failed(what))

    def forget(self) -> None:
        """Take away the complaint about a person's last act, if it was one: the next act begins."""
        if 'role="alert"' in self._parts["act"]:
            self.put("act", "")


class Picture(widgets.Image):
    """A square image, `width` CSS px wide, that may have a tooltip: JupyterLab asks for a widget's description first, and
    `widgets.Image` has none.
    """

    description = traitlets.Unicode("").tag(sync=True)

    def __init__(self, width: int, tooltip: str):
        size = widgets.Layout(width=f"{width}px", height=f"{width}px", margin="0")
        super().__init__(format="jpeg", tooltip=tooltip, layout=size)


class Card:
    """What one method makes of the face: result, difference, landmarks and what is measured."""

    def __init__(self, first: bool):
        self.title = widgets.HTML()
        self.result = Picture(LARGE, "The edited face")
        if first:
            self.result.add_class("fersyn-result")
        self.difference = Picture(SMALL, "How far each pixel changed: dark, not at all")
        self.landmarks = Picture(SMALL, "Landmarks of the source in blue, those asked for in orange")
        self.measures = widgets.HTML()
        small = box("fersyn-small", [self.difference, self.landmarks], kind=widgets.HBox)
        wide = widgets.Layout(width=f"{LARGE + 4}px", max_width="100%")
        self.box = box("fersyn-card", [self.title, self.result, small, self.measures], wide)

    def show(self, shown: bool) -> None:
        """Show or hide the card."""
        self.box.layout.display = None if shown else "none"


class PhotoPicker(anywidget.AnyWidget):
    """Buttons for a file and for the camera. Where the browser has no camera, or lends it not, it says so.

    Files come in pieces, for a Jupyter server drops the connection at a message of more than 10 MB, and a camera's photograph
    easily has that.

    Args:
        arrived: called with (name, bytes, whether it is a snapshot) when a picture is here.
        refused: called with a sentence when what came cannot be a picture.
    """

    _esm = (HERE / "picker.js").read_text(encoding="utf-8")

    def __init__(self, arrived: Callable[[str, bytes, bool], None], refused: Callable[[str], None]):
        super().__init__()
        self._arrived, self._refused = arrived, refused
        self._key, self._pieces = "", []
        self.on_msg(self._take)

    def _take(self, _, content: dict, buffers: list) -> None:
        if content.get("kind") != "piece" or len(buffers) != 1:
            return
        if content["part"] == 0:  # a new file; one that was under way is given up
            self._key, self._pieces = content["key"], []
        if content["key"] != self._key or content["part"] != len(self._pieces):
            return
        self._pieces.append(bytes(buffers[0]))
        if sum(map(len, self._pieces)) > LARGEST:
            self._key, self._pieces = "", []
            self._refused(f"{content['name']}: more than {LARGEST // 1_000_000} MB; save a smaller copy")
        elif len(self._pieces) == content["total"]:
            data, self._key, self._pieces = b"".join(self._pieces), "", []
            self._arrived(str(content["name"]), data, bool(content.get("camera")))


class CodeLine(anywidget.AnyWidget):
    """A line of text with a button that copies it; nothing is shown while it is empty."""

    _esm = (HERE / "copy.js").read_text(encoding="utf-8")
    label = traitlets.Unicode("").tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)


def group(title: str) -> widgets.HTML:
    """Heading of some controls."""
    return widgets.HTML(view.PIECES.group(title))


class Panel(widgets.VBox):
    """All that one sees, without what it does.

    Args:
        picker: buttons for a photograph.
        notice: what to say as long as no run is trained.
    """

    def __init__(self, picker: PhotoPicker, notice: str):
        self.picker = picker
        self.set_ = dropdown("From", "A face table, a photograph of yours, or somebody whom a generator draws")
        self.person = dropdown("Person", "People of the hold-out come first: no method has seen them")
        self.picture = dropdown("Picture", "Which of the person's pictures")
        self.number = dropdown("Face", "Which face of the photograph, from the left")
        self.seed = widgets.BoundedIntText(
            SEED, min=0, max=2**31 - 1, description="Seed", tooltip="Which people: another seed, other people",
            layout=widgets.Layout(width="auto"), style=_STYLE,
        )  # fmt: skip
        self.next = button("Next person", "Somebody else of the same seed: adults in front of the camera")
        self.run = dropdown("Method", "A trained run")
        self.beside = dropdown("Beside it", "A second run, shown next to the first")
        self.again = button("Look for new runs", "Look again which runs are trained")
        self.wish = WishControls()
        self.source = Picture(LARGE, "The face as it is")
        self.title, self.about = widgets.HTML(view.PIECES.titled("As it is", " ")), widgets.HTML()
        self.cards = [Card(True), Card(False)]
        self.keep = {
            "picture": button(
                "Save the picture", "The whole photograph with the face put back, or the face of a table"
            ),
            "gif": button("Save a GIF", "The expression coming and going, as an animation"),
            "mp4": button("Save an MP4", "The same as a film (H.264)"),
        }
        self.status = Status()
        self.code = CodeLine(label="This picture again, in Python")
        self.shell = CodeLine(label="In a shell, in the project's folder")
        labels = "The whole report, in a shell, in the project's folder", "Or one method alone"
        self.train = [CodeLine(label=label) for label in labels]
        self.notice = box("fersyn-notice", [widgets.HTML(notice), *self.train], widgets.Layout(max_width="760px"))
        wrapped = widgets.Layout(flex_flow="row wrap")
        columns = box("fersyn-columns", [self._left(), self._right()], wrapped, widgets.HBox)
        super().__init__([widgets.HTML(view.STYLE), self.notice, columns])
        self.add_class("fersyn-explorer")

    def _left(self) -> widgets.VBox:
        """What is chosen."""
        wish = self.wish
        chosen = [
            group("Face"), self.set_, self.person, self.picture, self.number, self.seed, self.next, self.picker,
            group("Method"), self.run, self.beside, self.again,
            group("Expression"), wish.expression, wish.intensity, wish.second, wish.share, wish.single,
            group("Handles"), *wish.handles.values(), wish.reset,
        ]  # fmt: skip
        return box("fersyn-controls", chosen, widgets.Layout(flex="1 1 280px", min_width="250px", max_width="340px"))

    def _right(self) -> widgets.VBox:
        """What comes of it."""
        source = box(
            "fersyn-card",
            [self.title, self.source, self.about],
            widgets.Layout(width=f"{LARGE + 4}px", max_width="100%"),
        )
        fitting = widgets.Layout(flex_flow="row wrap", max_width="100%")
        made = box("fersyn-pictures", [card.box for card in self.cards], fitting, widgets.HBox)
        shown = box("fersyn-pictures", [source, made], widgets.Layout(flex_flow="row wrap"), widgets.HBox)
        buttons = box("fersyn-keep", list(self.keep.values()), kind=widgets.HBox)
        parts = [self.status, shown, group("Keep it"), buttons, self.code, self.shell]
        return widgets.VBox(parts, layout=widgets.Layout(flex="3 1 240px", min_width="0"))
