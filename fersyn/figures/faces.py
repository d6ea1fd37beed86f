"""Pictures of faces: which may be shown (only people who agreed, spread over people and expressions), labelled grids,
landmarks drawn in, before and after preprocessing.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from fersyn import splits
from fersyn.expressions import EXPRESSIONS
from fersyn.figures.picture import DENSITY, INK, Picture
from fersyn.figures.table import Note, note

# The 68 points of dlib's predictor (300-W), as lines: jaw, brows, nose, eyes, lips. True: closed.
LINES = (
    (range(0, 17), False), (range(17, 22), False), (range(22, 27), False), (range(27, 31), False), (range(31, 36),
    False),
    (range(36, 42), True), (range(42, 48), True), (range(48, 60), True), (range(60, 68), True),
)  # fmt: skip
WIDEST = 1200  # CSS px of a grid: a page's column with its margins
CELL = 128  # CSS px of a face in a grid: as many as it has in the tables of profile laptop
NOBODY = 170  # grey level of an empty cell: no white slab on a dark page, and no black one on a light page


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
    """Lays pictures out in rows of cells ``size`` px wide and high on white; of None a cell is grey. uint8 RGB."""
    columns = max((len(row) for row in rows), default=1)
    step = size + gap
    out = np.full((len(rows) * step - gap, columns * step - gap, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            if cell is None:
                out[y * step : y * step + size, x * step : x * step + size] = NOBODY
            else:
                out[y * step : y * step + size, x * step : x * step + size] = fit(cell, size)
    return out


def fit(image: np.ndarray, size: int) -> np.ndarray:
    """Brings a picture of any shape into a square of ``size`` px without distortion, grey beside it. uint8 RGB."""
    height, width = image.shape[:2]
    scale = size / max(height, width)
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(
        np.ascontiguousarray(image), shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    out = np.full((size, size, 3), NOBODY, np.uint8)
    y, x = (size - shape[1]) // 2, (size - shape[0]) // 2
    out[y : y + shape[1], x : x + shape[0]] = small
    return out


def grid(
    rows: Sequence[Sequence[np.ndarray | None]],
    row_names: Sequence[str] = (),
    column_names: Sequence[str] = (),
    alt: str = "Grid of faces",
    caption: str = "",
    cell: int = CELL,
) -> Picture | Note:
    """A labelled grid of faces; a sentence where there is none.

    Args:
        rows: uint8 RGB pictures of any size; None leaves a cell empty.
        row_names: written at the left of each row.
        column_names: written above each column.
        alt: description.
        caption: Markdown below the picture.
        cell: shown width of a face, CSS px; less where they would be wider than a page together.
    """
    if not any(map(len, rows)):
        return nothing()
    font, gap = _font(12 * DENSITY), 2 * DENSITY
    left = max((round(font.getlength(name)) for name in row_names), default=0)
    left += 12 * DENSITY if left else 0
    size = min(cell * DENSITY, (WIDEST * DENSITY - left) // max(map(len, rows)) - gap)
    faces = mosaic(rows, size, gap)
    top = 20 * DENSITY if column_names else 0
    page = Image.new("RGB", (faces.shape[1] + left, faces.shape[0] + top), "white")
    page.paste(Image.fromarray(faces), (left, top))
    draw = ImageDraw.Draw(page)
    for x, name in enumerate(column_names):
        draw.text((left + x * (size + gap) + size / 2, top - 5 * DENSITY), name, INK, font, anchor="ms")
    for y, name in enumerate(row_names):
        draw.text((left - 8 * DENSITY, top + y * (size + gap) + size / 2), name, INK, font, anchor="rm")
    return Picture.of_image(page, alt, caption, labels=(top / page.height, left / page.width))


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
    rows = []
    for start in range(0, len(before), columns):
        rows += [before[start : start + columns], list(faces[start : start + columns])]
    return grid(
        rows, ["before", "after"] * (len(rows) // 2), list(labels) if len(rows) == 2 else [],
        f"{len(before)} pictures before preprocessing, with the detected box and landmarks, and the faces made of them.",
        caption,
    )  # fmt: skip


def strip(alt: str, *columns: Sequence[np.ndarray], most: int = 8, names: Sequence[str] = ()) -> Picture:
    """One row of faces for the index page, some 10 to 20 kB; several columns of them take turns. `names`: what each face is."""
    row = [face for each in zip(*columns, strict=True) for face in each]
    picture = Picture.of_array(mosaic([row[:most]], 108, 0), alt, density=2)
    picture.names = names[:most]
    return picture


def pictured(rows: pd.DataFrame, private: bool = False) -> np.ndarray:
    """Which rows (N,) bool may be shown: those marked publishable, or all of them if the page stays ``private``."""
    return np.ones(len(rows), bool) if private else rows["publishable"].to_numpy(bool)


def privacy_note(rows: pd.DataFrame, shown: np.ndarray, private: bool = False) -> str:
    """One sentence about faces that are left out, or about a page that must not be passed on; otherwise empty."""
    closed = int((~rows["publishable"].to_numpy(bool)).sum())
    which = f"pictures of {', '.join(map(str, dict.fromkeys(rows['dataset'])))}"
    if private and closed:
        return f"Not to be passed on: {closed} of {len(rows)} {which} show people who did not agree to be shown."
    if not shown.all():
        return (
            f"{closed} of {len(rows)} {which} are counted and measured but not shown: "
            "the people in them did not agree to be pictured in public."
        )
    return ""


def nothing() -> Note:
    """In place of a figure that has no face to show."""
    return note("faces.nothing")


def peaks(rows: pd.DataFrame, shown: np.ndarray) -> dict[str, dict[str, int]]:
    """For each person (``dataset/subject``) the position of the strongest picture of each expression, neutral the
    weakest. What is of unknown intensity counts as a full expression.
    """
    strength = rows["intensity"].astype(float).fillna(1.0).to_numpy() * np.where(rows["expression"] == "neutral", -1, 1)
    frame = pd.DataFrame({"person": splits.people(rows), "expression": rows["expression"].to_numpy(object)})
    frame = frame.assign(strength=strength)[np.asarray(shown, bool) & rows["expression"].notna().to_numpy()]
    found: dict[str, dict[str, int]] = {}
    for (person, expression), position in frame.groupby(["person", "expression"])["strength"].idxmax().items():
        found.setdefault(person, {})[expression] = int(position)
    return found


def people(rows: pd.DataFrame, shown: np.ndarray, number: int, seed: int = 0) -> dict[str, dict[str, int]]:
    """:func:`peaks` of ``number`` people at random, of those who have the most expressions."""
    found = peaks(rows, shown)
    most = max((len(own) for own in found.values()), default=0)
    complete = sorted(person for person, own in found.items() if len(own) == most)
    others = sorted((who for who in found if len(found[who]) < most), key=lambda who: (-len(found[who]), who))
    chosen = np.random.default_rng(seed).permutation(complete)[:number].tolist()
    return {person: found[person] for person in sorted(chosen) + others[: max(0, number - len(chosen))]}


def mixed(rows: pd.DataFrame, shown: np.ndarray, number: int, seed: int = 0) -> np.ndarray:
    """Positions of up to ``number`` faces, of other people and other expressions as far as there are; unlabelled rows
    at the end.
    """
    found = peaks(rows, shown)
    random = np.random.default_rng(seed)
    order = random.permutation(sorted(found))
    chosen: list[int] = []
    for turn in range(len(EXPRESSIONS)):
        for place, person in enumerate(order):
            own = [found[person][name] for name in EXPRESSIONS if name in found[person]]
            own = [own[(i + place) % len(own)] for i in range(len(own))]
            if turn < len(own) and len(chosen) < number:
                chosen.append(own[turn])
    rest = np.setdiff1d(np.flatnonzero(shown), chosen)
    return np.array([*chosen, *random.permutation(rest)[: max(0, number - len(chosen))]], int)


def previews(table, shown: np.ndarray, number: int, seed: int = 0) -> list[dict]:
    """Up to ``number`` of the table's "before" pictures that may be shown, one a person as long as there are people."""
    found = [preview for preview in table.previews() if shown[preview["row"]]]
    people_, expressions = table.people, table.rows["expression"].astype(str).to_numpy()
    seen, drawn, chosen = Counter(), Counter(), []
    waiting = [found[i] for i in np.random.default_rng(seed).permutation(len(found))]
    while waiting and len(chosen) < number:
        # The person and the expression seen least so far come next.
        best = min(waiting, key=lambda p: (seen[people_[p["row"]]], drawn[expressions[p["row"]]]))
        # Not `remove`: dicts that hold arrays cannot be compared.
        waiting = [preview for preview in waiting if preview is not best]
        chosen.append(best)
        seen[people_[best["row"]]] += 1
        drawn[expressions[best["row"]]] += 1
    return chosen
