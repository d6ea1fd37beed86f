"""A finished picture with its description: shown by Jupyter, embedded in the report, small."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

# Rendered at twice the size at which it is shown: sharp on a dense screen and in print.
DENSITY = 2
QUALITY = 84  # of JPEGs, colours as sharp as light: lips and eyes are what is looked at
INK = "#1c2128"  # of all that is written into a picture


class Picture:
    """Encoded pixels, a description and a caption.

    Args:
        data: an encoded PNG or JPEG file.
        alt: what the picture shows, for readers who do not see it.
        caption: Markdown below the picture: what to look at.
        width: width at which it is shown, CSS px.
        labels: parts of its height and width, at the top and at the left, that hold ink on white and no picture: a page in
            dark mode turns them.

    Raises:
        ValueError: no description.
    """

    names: Sequence[str] = ()

    def __init__(
        self,
        data: bytes,
        alt: str,
        caption: str = "",
        width: int | None = None,
        labels: tuple[float, float] = (0.0, 0.0),
    ):
        if not alt.strip():
            raise ValueError("a picture needs a description (alt) for readers who do not see it")
        self.data, self.alt, self.caption, self.width, self.labels = data, alt, caption, width, labels
        self.mime = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"

    @classmethod
    def of_figure(cls, figure: Any, alt: str, caption: str = "", photo: bool = False) -> "Picture":
        """Encodes a matplotlib figure: as JPEG where it shows photographs, otherwise as PNG."""
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=72 * DENSITY, facecolor="white", bbox_inches="tight", pad_inches=0.06)
        image = Image.open(file).convert("RGB")
        if not photo:  # a chart has few colours; a palette makes it a third of the size
            image = image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        return cls.of_image(image, alt, caption, jpeg=photo)

    @classmethod
    def of_image(
        cls,
        image: Image.Image,
        alt: str,
        caption: str = "",
        jpeg: bool = True,
        density: int = DENSITY,
        labels: tuple[float, float] = (0.0, 0.0),
    ) -> "Picture":
        """Encodes a PIL image that holds ``density`` pixels for each shown one."""
        file = io.BytesIO()
        if jpeg:
            image.convert("RGB").save(
                file, "JPEG", quality=QUALITY, subsampling=0
            )  # optimised, noise does not fit Pillow's buffer
        else:
            image.save(file, "PNG", optimize=True)
        return cls(file.getvalue(), alt, caption, round(image.width / density), labels)

    @classmethod
    def of_array(cls, array: np.ndarray, alt: str, caption: str = "", density: int = DENSITY) -> "Picture":
        """Encodes a uint8 RGB array (H, W, 3) as JPEG."""
        return cls.of_image(Image.fromarray(array), alt, caption, density=density)

    def data_uri(self) -> str:
        """The picture as the ``src`` of an ``<img>``."""
        return f"data:{self.mime};base64,{base64.b64encode(self.data).decode()}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        about: dict[str, Any] = {"alt": self.alt}
        if self.width:
            about["width"] = self.width
        if any(self.labels):
            about["labels"] = self.labels
        return {self.mime: base64.b64encode(self.data).decode(), "text/plain": self.alt}, {self.mime: about}

    def _ipython_display_(self) -> None:
        from IPython.display import Markdown, display

        data, about = self._repr_mimebundle_()
        # The report's template sets the caption below the picture; JupyterLab shows it as a line of its own.
        display(data, metadata=about, raw=True)
        if self.caption:
            display(Markdown(f"*{self.caption}*"), metadata={"text/markdown": {"role": "caption"}})

    def __repr__(self) -> str:
        return f"<Picture: {self.alt}>"


def show(figures: list) -> None:
    """Shows several figures, one below the other."""
    from IPython.display import display

    for figure in figures:
        display(figure)
