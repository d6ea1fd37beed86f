"""Figures and tables of the notebooks. Every function returns something that a cell shows as its last line: a
:class:`Picture` (with a description for those who do not see it), a :class:`Table` or a :class:`Note`.

``preprocessing`` holds the figures of notebook 01; ``charts`` and ``faces`` what all are made of.
"""

from fersyn.figures.faces import pictured, privacy_note
from fersyn.figures.picture import Picture, show
from fersyn.figures.table import Note, Table

__all__ = ["Note", "Picture", "Table", "pictured", "privacy_note", "show"]
