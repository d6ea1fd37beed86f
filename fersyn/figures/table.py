"""Tables of any rows as HTML that a screen reader and a phone can read; a sentence in place of a figure; the pages' longer texts."""

from __future__ import annotations

import html
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fersyn.files import data_of

_TEXTS = data_of(Path(__file__).with_name("texts"))
PUBLISHED = data_of(Path(__file__).with_name("published"))  # numbers of the paper, by table


class Note:
    """Markdown that a cell shows as its result: why there is nothing to show, or what a number means."""

    def __init__(self, text: str):
        self.text = text

    def _repr_markdown_(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text


def sentence(name: str, /, **values: Any) -> str:
    """One of `texts.yaml`, by 'notebook.name'; `values` fill in its braces."""
    group, name = name.split(".")
    return _TEXTS[group][name].format(**values)


def note(name: str, /, **values: Any) -> Note:
    """`sentence`, to be shown."""
    return Note(sentence(name, **values))


def described(name: str, /, **values: Any) -> dict[str, str]:
    """The `alt` and the `caption` of a picture, of `texts.yaml`, by 'notebook.figure'."""
    group, name = name.split(".")
    return {part: text.format(**values) for part, text in _TEXTS[group][name].items()}


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
        self.digits, self.caption, self.bold = digits, caption, set(bold)

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
            inside = f"<strong>{html.escape(text)}</strong>" if bold else html.escape(text)
            return f"<{tag}{kind}>{inside}</{tag}>"

        body = [[self._text(value) for value in row] for row in self.frame.itertuples(index=False)]
        numeric = [bool(body) and all(row[column][1] for row in body) for column in range(len(self.frame.columns))]
        head = "".join(cell("th", str(name), number) for name, number in zip(self.frame.columns, numeric, strict=True))
        lines = "".join(
            "<tr>" + "".join(cell("td", *item, (y, x) in self.bold) for x, item in enumerate(row)) + "</tr>"
            for y, row in enumerate(body)
        )
        caption = f"<caption><span>{html.escape(self.caption)}</span></caption>" if self.caption else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"

    def __repr__(self) -> str:
        return self.frame.to_string(index=False)
