"""What a face table holds, in tables and pictures: the first half of notebook 01. Functions take a FaceTable."""

import numpy as np
import torch

from fersyn.expressions import EXPRESSIONS
from fersyn.faces.heatmaps import heatmaps
from fersyn.figures import charts, faces, selection
from fersyn.figures.note import Note
from fersyn.figures.picture import Picture
from fersyn.figures.table import Table

# Named in the heatmaps figure, numbered from 0.
POINTS = {"nose tip": 30, "eye corner": 36, "lip corner": 48, "chin": 8}


def numbers(table) -> dict:
    """Counts of a face table, JSON-able."""
    rows = table.rows
    labelled = rows["expression"].notna()
    return {
        "faces": len(rows),
        "people": len(set(table.people)),
        "skipped": len(table.skipped),
        "labelled": int(labelled.sum()),
        "size": table.size,
        "by_expression": {name: int((rows["expression"] == name).sum()) for name in present(rows)},
        "publishable": int(rows["publishable"].sum()),
    }


def present(rows) -> list[str]:
    """The expressions that occur, in the kit's order."""
    found = set(rows["expression"].dropna())
    return [name for name in EXPRESSIONS if name in found]


def overview(table) -> Table:
    """Facts about the set in a few lines."""
    count, info = numbers(table), table.info
    lines = [
        ("set", info["dataset"]),
        ("faces", f"{count['faces']} of {count['people']} people, {table.size} × {table.size} px"),
        ("labels", f"{count['labelled']} faces, {len(count['by_expression'])} expressions"),
        ("skipped", f"{count['skipped']} pictures"),
        ("may be pictured in public", f"{count['publishable']} of {count['faces']}"),
        ("licence", info.get("licence") or "not stated"),
        *[("note", note) for note in [*info.get("notes", []), *info.get("split_notes", [])]],
    ]
    return Table(lines, ["", ""])


def by_expression(table) -> Picture:
    """Bars of the number of pictures of each expression, by side of the hold-out split."""
    rows = table.rows
    names = present(rows) + (["no label"] if rows["expression"].isna().any() else [])
    label = rows["expression"].astype(object).where(rows["expression"].notna(), "no label")
    values = {
        name: {
            side: int(((label == name) & (rows["split"] == part)).sum())
            for part, side in (("train", "training"), ("test", "test"))
        }
        for name in names
    }
    held = len(table.people_of("test"))
    return charts.counts(
        values, caption=f"Pictures of each expression; {held} of {len(set(table.people))} people are kept for the test."
    )


def per_person(table) -> Picture | Note:
    """Histogram of pictures a person, or a sentence where all bring the same number."""
    counts = np.unique(table.people, return_counts=True)[1]
    if counts.min() == counts.max():
        return Note(f"Every one of the {len(counts)} people brings {counts[0]} pictures.")
    bins = np.arange(counts.min() - 0.5, counts.max() + 1.5) if counts.max() - counts.min() < 60 else 40
    return charts.histogram(
        {"people": counts}, "pictures of one person", bins, caption="How many pictures each person brings."
    )


def intensity(table) -> Picture | Note:
    """Histogram of the intensity of the expressions other than neutral, or a sentence where it is unknown."""
    rows = table.rows
    values = (
        rows.loc[rows["expression"].notna() & (rows["expression"] != "neutral"), "intensity"].astype(float).dropna()
    )
    if values.empty:
        return Note("How strong an expression is (its intensity, 0 to 1) is not known for this set.")
    if values.nunique() == 1:
        return Note(
            f"All expressions other than neutral have the intensity {values.iloc[0]:g}, "
            "on a scale from 0 (neutral) to 1 (peak)."
        )
    return charts.histogram(
        {"faces": values.to_numpy()}, "intensity (0 neutral, 1 peak)", np.linspace(0, 1, 21),
        caption="How strong the expressions are; neutral faces, of intensity 0, are left out.",
    )  # fmt: skip


def samples(table, shown: np.ndarray, number: int = 8, seed: int = 0) -> Picture | Note:
    """Pictures as they came and the faces made of them (seed 004, Fig. 6)."""
    previews = selection.previews(table, shown, number, seed)
    if not previews:
        return selection.nothing()
    rows = [preview["row"] for preview in previews]
    labels = [table.rows["expression"].iloc[row] or "no label" for row in rows]
    caption = f"Samples of {table.info['dataset']} before and after preprocessing."
    return faces.before_after(previews, table.images(rows), labels, caption)


def people(table, shown: np.ndarray, number: int = 4, seed: int = 0) -> Picture | Note:
    """Some people, each with every expression at its strongest."""
    found = selection.people(table.rows, shown, number, seed)
    columns = [name for name in EXPRESSIONS if any(name in own for own in found.values())]
    if not columns:
        return selection.nothing()
    cells = [[table.images([own[name]])[0] if name in own else None for name in columns] for own in found.values()]
    return faces.grid(
        cells, [person.split("/", 1)[1][:12] for person in found], columns,
        f"{len(found)} people of {table.info['dataset']} (rows) with {', '.join(columns)} (columns).",
        "Some people, each with every expression at its strongest. Could you name the columns without the headings?",
    )  # fmt: skip


def thumbnail(table, shown: np.ndarray, seed: int = 0) -> Picture | None:
    """A strip of faces for the index page; None where nobody may be shown."""
    chosen = selection.mixed(table.rows, shown, 8, seed)
    if not len(chosen):
        return None
    return faces.strip(
        table.images(chosen), f"{len(chosen)} aligned faces of {table.info['dataset']} with different expressions"
    )


def landmarks(table, shown: np.ndarray, number: int = 12, seed: int = 0, columns: int = 6) -> Picture | Note:
    """Faces with their 68 landmarks drawn in."""
    chosen = selection.mixed(table.rows, shown, number, seed)
    if not len(chosen):
        return selection.nothing()
    drawn = [faces.overlay(*pair) for pair in zip(table.images(chosen), table.landmarks(chosen), strict=True)]
    rows = [drawn[start : start + columns] for start in range(0, len(drawn), columns)]
    return faces.grid(
        rows,
        alt=f"{len(drawn)} faces with 68 landmarks drawn in.",
        caption="dlib's landmarks on the aligned faces.",
        cell=116,
    )


def heat(channel: np.ndarray | torch.Tensor) -> np.ndarray:
    """A heatmap (H, W) in [0, 1] as a picture, black to yellow, uint8 RGB (H, W, 3)."""
    import cv2

    level = (np.asarray(channel) * 255).clip(0, 255).astype(np.uint8)
    return cv2.applyColorMap(level, cv2.COLORMAP_INFERNO)[..., ::-1]


def heatmap_rows(table, shown: np.ndarray, sigma: float, number: int = 3, seed: int = 0) -> Picture | Note:
    """Faces beside the heatmaps made of their landmarks: all points in one channel, and some of the 68 channels."""
    chosen = selection.mixed(table.rows, shown, number, seed)
    if not len(chosen):
        return selection.nothing()
    points = torch.from_numpy(table.landmarks(chosen))
    one, many = heatmaps(points, table.size, sigma)[:, 0], heatmaps(points, table.size, sigma, channels=68)
    rows = [
        [image, heat(single), *(heat(maps[k]) for k in POINTS.values())]
        for image, single, maps in zip(table.images(chosen), one, many, strict=True)
    ]
    return faces.grid(
        rows, column_names=["face", "all 68", *POINTS],
        alt="Faces with their landmark heatmaps: all points in one channel, and four points alone.",
        caption=f"One channel with all points, and four of the 68 channels; σ = {sigma:g} px.", cell=116,
    )  # fmt: skip


def skipped(table, private: bool = False, most: int = 20) -> Table | Note:
    """The pictures that could not be used, with their reasons; without their names, which may be those of people, where
    somebody of the set did not agree to be shown and the page is not `private`.
    """
    rows = table.skipped
    if not len(rows):
        return Note("Nothing was skipped: every picture of the set is in the table.")
    if not (private or table.rows["publishable"].to_numpy(bool).all()):
        counts = rows["reason"].str.replace(r" \(.*\)$", "", regex=True).value_counts()
        lines = [(int(count), reason) for reason, count in counts.items()]
        return Table(lines, ["pictures", "reason"], caption="Which ones, says skipped.csv in the table's folder")
    lines = [(row.source, row.expression or "–", row.reason) for row in rows.head(most).itertuples()]
    if len(rows) > most:
        lines.append((f"and {len(rows) - most} more", "", "see skipped.csv in the table's folder"))
    return Table(lines, ["picture", "expression", "reason"])


def means(table, shown: np.ndarray) -> Picture | Note:
    """The average face of each expression, and its difference from the average neutral face."""
    label = table.rows["expression"]
    strong = selection.strength(table.rows) >= 0.5
    found = {}
    for name in present(table.rows):
        index = np.flatnonzero((label == name).to_numpy() & shown & (strong | (label == "neutral").to_numpy()))
        if len(index):
            found[name] = table.images(index).mean(0)
    if not found:
        return selection.nothing()
    rows, names = [[mean.round().astype(np.uint8) for mean in found.values()]], ["mean"]
    if "neutral" in found and len(found) > 1:
        rows.append([np.clip(128 + 2 * (mean - found["neutral"]), 0, 255).astype(np.uint8) for mean in found.values()])
        names.append("− neutral")
    return faces.grid(
        rows, names, list(found), f"Average faces of {', '.join(found)}.",
        "Average faces over all people who may be shown, and what the expression adds to neutral (contrast doubled).",
    )  # fmt: skip


def credits(table) -> Note:
    """Whose faces these are, under which licence."""
    info = table.info
    parts = [
        f"**{info['dataset']}**",
        info.get("attribution") or "",
        f"Licence: {info['licence']}." if info.get("licence") else "",
    ]
    return Note("Faces: " + ". ".join(part.rstrip(".") for part in parts if part) + ".")
