"""Pictures of faces: labelled grids, landmarks drawn in, before and after preprocessing."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fersyn.figures import style
from fersyn.figures.picture import DENSITY, Picture

# The 68 points of dlib's predictor (300-W), as lines: jaw, brows, nose, eyes, lips. True: closed.
LINES = (
    (range(0, 17), False), (range(17, 22), False), (range(22, 27), False), (range(27, 31), False), (range(31, 36),
    False),
    (range(36, 42), True), (range(42, 48), True), (range(48, 60), True), (range(60, 68), True),
)  # fmt: skip


def _font(size: int) -> Any:
    """DejaVu Sans, which matplotlib brings along."""
    from matplotlib import font_manager

    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)


def overlay(image: np.ndarray, landmarks: np.ndarray, scale: float = 2, truth: np.ndarray | None = None) -> np.ndarray:
    """Draws 68 landmarks into an enlarged copy.

    Args:
        image: uint8 RGB (H, W, 3).
        landmarks: (68, 2) px of ``image``.
        scale: enlargement, so that the lines stay fine.
        truth: a second set, drawn in orange.

    Returns:
        uint8 RGB (scale * H, scale * W, 3).
    """
    height, width = image.shape[:2]
    out = cv2.resize(
        np.ascontiguousarray(image), (round(width * scale), round(height * scale)), interpolation=cv2.INTER_CUBIC
    )
    for points, colour in ((landmarks, (40, 220, 255)), (truth, (255, 150, 30))):
        if points is None:
            continue
        # Pixel centres are whole numbers: (0, 0) of the small picture lies at (scale - 1) / 2 of the large one.
        places = (np.asarray(points, float) + 0.5) * scale - 0.5
        fixed = np.round(places * 16).astype(np.int32)  # 4 fractional bits: smooth lines
        for line, closed in LINES:
            cv2.polylines(out, [fixed[list(line)]], closed, colour, 1, cv2.LINE_AA, shift=4)
        for x, y in fixed:
            cv2.circle(out, (int(x), int(y)), 24, colour, -1, cv2.LINE_AA, shift=4)
    return out


def mosaic(rows: Sequence[Sequence[np.ndarray | None]], size: int, gap: int = 4) -> np.ndarray:
    """Lays pictures out in rows of cells ``size`` px wide and high on white; None leaves a cell empty. uint8 RGB."""
    columns = max((len(row) for row in rows), default=1)
    step = size + gap
    out = np.full((len(rows) * step - gap, columns * step - gap, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            if cell is not None:
                out[y * step : y * step + size, x * step : x * step + size] = fit(cell, size)
    return out


def fit(image: np.ndarray, size: int) -> np.ndarray:
    """Brings a picture of any shape into a square of ``size`` px without distortion, white beside it. uint8 RGB."""
    height, width = image.shape[:2]
    scale = size / max(height, width)
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(
        np.ascontiguousarray(image), shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    out = np.full((size, size, 3), 255, np.uint8)
    y, x = (size - shape[1]) // 2, (size - shape[0]) // 2
    out[y : y + shape[1], x : x + shape[0]] = small
    return out


def grid(
    rows: Sequence[Sequence[np.ndarray | None]],
    row_names: Sequence[str] = (),
    column_names: Sequence[str] = (),
    alt: str = "Grid of faces",
    caption: str = "",
    cell: int = 88,
) -> Picture:
    """A labelled grid of faces.

    Args:
        rows: uint8 RGB pictures of any size; None leaves a cell empty.
        row_names: written at the left of each row.
        column_names: written above each column.
        alt: description.
        caption: Markdown below the picture.
        cell: shown width of a face, CSS px.
    """
    size, gap = cell * DENSITY, 4 * DENSITY
    faces = mosaic(rows, size, gap)
    font = _font(11 * DENSITY)
    left = max((round(font.getlength(name)) for name in row_names), default=0)
    left += 6 * DENSITY if left else 0
    top = 18 * DENSITY if column_names else 0
    page = Image.new("RGB", (faces.shape[1] + left, faces.shape[0] + top), "white")
    page.paste(Image.fromarray(faces), (left, top))
    draw = ImageDraw.Draw(page)
    for x, name in enumerate(column_names):
        draw.text((left + x * (size + gap) + size / 2, top - 5 * DENSITY), name, style.INK, font, anchor="ms")
    for y, name in enumerate(row_names):
        draw.text((left - 6 * DENSITY, top + y * (size + gap) + size / 2), name, style.INK, font, anchor="rm")
    return Picture.of_image(page, alt, caption)


def before_after(
    previews: Sequence[dict], faces: Sequence[np.ndarray], labels: Sequence[str], caption: str = "", columns: int = 8
) -> Picture:
    """Pictures as they came, with dlib's box and landmarks (upper rows), and the aligned faces made of them (lower
    rows).

    Args:
        previews: of :meth:`fersyn.table.FaceTable.previews`.
        faces: the face (H, W, 3) of each preview.
        labels: the expression of each preview.
        caption: Markdown below the picture.
        columns: faces a row.
    """
    before = []
    for preview in previews:
        drawn = overlay(preview["image"], preview["landmarks"], scale=1)
        x0, y0, x1, y1 = (round(float(value)) for value in np.ravel(preview["box"])[:4])
        cv2.rectangle(drawn, (x0, y0), (x1, y1), (255, 255, 255), 2, cv2.LINE_AA)
        before.append(drawn)
    rows, names = [], []
    for start in range(0, len(before), columns):
        rows += [before[start : start + columns], list(faces[start : start + columns])]
        names += ["before", "after"]
    one_row = len(before) <= columns
    return grid(
        rows,
        names,
        list(labels) if one_row else [],
        f"{len(before)} pictures before preprocessing, with the detected box and landmarks, and the faces made of them.",
        caption,
    )


def strip(faces: Sequence[np.ndarray], alt: str, height: int = 72, most: int = 8) -> Picture:
    """One row of faces for the index page, some 10 to 20 kB."""
    return Picture.of_array(mosaic([list(faces)[:most]], round(height * 1.5), 0), alt, density=2)


def landmark_errors(face: np.ndarray, landmarks: np.ndarray, error: np.ndarray, caption: str = "") -> Picture:
    """Mean error of each of the 68 points, as discs on one face.

    Args:
        face: uint8 RGB (H, W, 3) that the discs are drawn on, e.g. the mean face.
        landmarks: (68, 2) px of ``face``.
        error: (68,) in % of the inter-ocular distance.
        caption: Markdown below the picture.
    """
    with style.look():
        figure, axes = style.new(4.6, 3.9)
        axes.imshow(face, alpha=0.55)
        spots = axes.scatter(
            *landmarks.T, c=error, s=26 + 9 * error, cmap="viridis_r", edgecolors="white", linewidths=0.5
        )
        figure.colorbar(spots, ax=axes, label="mean error, % of inter-ocular distance", shrink=0.85)
        axes.set_axis_off()
        worst = int(np.argmax(error))
        alt = f"Mean landmark error drawn on a face: from {error.min():.1f} to {error.max():.1f} % (point {worst + 1})."
        return Picture.of_figure(figure, alt, caption, photo=True)
