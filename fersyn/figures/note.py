"""A sentence in place of a figure: why there is nothing to show, or what a number means."""


class Note:
    """Markdown that a cell shows as its result."""

    def __init__(self, text: str):
        self.text = text

    def _repr_markdown_(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text
