"""Tables of any rows as HTML that a screen reader and a phone can read; a sentence in place of a figure; the pages' longer texts."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fersyn.files import data_of

# What is counted on a page, and the words that may stand before it: "1 pairs" is a pair.
_NOUNS = {
    f"{word}s": word
    for word in (
        "column", "epoch", "expression", "face", "fold", "moment", "pair", "person", "photograph", "picture", "point", "probe",
        "recogniser", "row", "run", "seed", "sheet", "source", "step", "sweep",
    )
} | {"people": "person"}  # fmt: skip
_ONE = re.compile(rf"(?<![\d.,/])\b1 ((?:made|true|neutral|training|held-out|other|real)? ?)({'|'.join(_NOUNS)})\b")
_TEXTS = data_of(Path(__file__).with_name("texts"))
PUBLISHED = data_of(Path(__file__).with_name("published"))  # numbers of the papers, by table


def agree(text: str) -> str:
    """The text with what is one in the singular: "1 pairs of 3 people" is "1 pair of 3 people"."""
    return _ONE.sub(lambda found: f"1 {found[1]}{_NOUNS[found[2]]}", text)


def coded(text: str) -> str:
    """A plain text as HTML, what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def unbroken(text: str) -> str:
    """A plain text as HTML like `coded`, where no line ends within a hyphenated word (landmark-flow), before % or after a leading +."""
    text = re.sub(r"(?<=\d) (?=%)|(?<=^\+) ", "\u00a0", text)
    return re.sub(r"(?<![\w/-])\w+(?:-\w+)+(?![\w/-])", r'<span class="whole">\g<0></span>', coded(text))


LONG = 60  # letters of a cell, from which on it is prose, which is to wrap rather than take the page's margins


class Note:
    """Markdown that a cell shows as its result: why there is nothing to show, or what a number means."""

    def __init__(self, text: str):
        self.text = agree(text)

    def _repr_markdown_(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text


def sentence(name: str, /, **values: Any) -> str:
    """One of `texts.yaml`, by 'notebook.name'; `values` fill in its braces."""
    group, name = name.split(".")
    return agree(_TEXTS[group][name].format(**values))


def note(name: str, /, **values: Any) -> Note:
    """`sentence`, to be shown."""
    return Note(sentence(name, **values))


def published(table: str, dataset: str) -> Any | None:
    """The numbers of a table of the paper, where our faces are of the `dataset` that they are of; None: they are of others, and would
    compare what cannot be compared.
    """
    return PUBLISHED[table]["numbers"] if PUBLISHED[table]["of"] == dataset else None


def elsewhere(table: str) -> Note:
    """In place of numbers of the paper that are of other faces."""
    return note("published.elsewhere", table=table.removeprefix("table"), dataset=PUBLISHED[table]["of"])


def described(name: str, /, **values: Any) -> dict[str, str]:
    """The `alt` and the `caption` of a picture, of `texts.yaml`, by 'notebook.figure'."""
    group, name = name.split(".")
    return {part: agree(text.format(**values)) for part, text in _TEXTS[group][name].items()}


class Table:
    """Rows of text and numbers.

    Args:
        rows: a DataFrame, or a sequence of rows.
        columns: headings, if ``rows`` is no DataFrame.
        digits: decimals of floats.
        caption: one line above the table.
        bold: cells to set in bold, as (row, column) positions.
    """

    def __init__(
        self,
        rows: pd.DataFrame | Sequence[Sequence[Any]],
        columns: Sequence[str] = (),
        digits: int = 2,
        caption: str = "",
        bold: Collection[tuple[int, int]] = (),
    ):
        self.frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows), columns=list(columns))
        self.digits, self.caption, self.bold = digits, agree(caption), set(bold)

    def _text(self, value: Any) -> tuple[str, bool]:
        """The cell's text, and whether it is a number."""
        if value is None or (isinstance(value, float) and value != value):
            return "–", True
        if isinstance(value, bool):
            return ("yes" if value else "no"), False
        if hasattr(value, "item"):
            value = value.item()
        if isinstance(value, float):
            return f"{value:.{self.digits}f}", True
        return (f"{value:d}", True) if isinstance(value, int) else (str(value), False)

    def _repr_html_(self) -> str:
        def cell(tag: str, text: str, number: bool, bold: bool = False) -> str:
            kind = ' class="number"' if number else ""
            inside = f"<strong>{unbroken(text)}</strong>" if bold else unbroken(text)
            return f"<{tag}{kind}>{inside}</{tag}>"

        body = [[self._text(value) for value in row] for row in self.frame.itertuples(index=False)]
        numeric = [bool(body) and all(row[column][1] for row in body) for column in range(len(self.frame.columns))]
        head = "".join(cell("th", str(name), number) for name, number in zip(self.frame.columns, numeric, strict=True))
        lines = "".join(
            "<tr>" + "".join(cell("td", *item, (y, x) in self.bold) for x, item in enumerate(row)) + "</tr>"
            for y, row in enumerate(body)
        )
        caption = f"<caption><span>{coded(self.caption)}</span></caption>" if self.caption else ""
        long = any(not number and len(text) > LONG for row in body for text, number in row)
        kind = ' class="prose"' if long else ""
        return f"<table{kind}>{caption}<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"

    def __repr__(self) -> str:
        return self.frame.to_string(index=False)
