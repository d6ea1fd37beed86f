"""How a training went: its settings, its curves, its sample grids. The first half of notebook 02."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.figures import charts, faces
from fersyn.figures.picture import Picture
from fersyn.figures.table import Note, Table, described, sentence
from fersyn.training import contest
from fersyn.training.runs import facts, speed

# Behind every training: landmarks, the perceptual loss, which takes the first of the two that is there, and the meter that
# says how far a landmark motion goes.
WEIGHTS = ("dlib-landmarks", "vgg19", "stlpips-vgg", "actions")
CELL = 64  # CSS px of a face in a sample grid: there are as many grids as methods, and a page has 5 MB
APART = ("lr_factor", "images_per_s", "seconds")  # columns of log.csv that are no losses


def log(run: Path) -> pd.DataFrame:
    """log.csv: a row every so many steps; empty where nothing was trained."""
    return pd.read_csv(run / "log.csv") if (run / "log.csv").is_file() else pd.DataFrame({"step": []})


def settings(runs: Mapping[str, Path]) -> Table:
    """A column a method: sizes, steps, weights, perceptual network, speed."""
    columns = {}
    for name, run in runs.items():
        about, config = facts(run), facts(run)["config"]
        parts = about.get("parameters") or {}
        generator = parts.get("generator", sum(parts.values()))
        columns[name] = {
            "faces": f"{config['size']} × {config['size']} px",
            "steps × batch": f"{about['step']:,} × {config['batch']}".replace(",", " "),
            "learning rate": f"{config['lr']:g}, falling to 0 over the last {config['decay_share']:.0%}",
            "parameters, generator": f"{generator / 1e6:.2f} million",
            "parameters, other networks": f"{(sum(parts.values()) - generator) / 1e6:.2f} million",
            "weights of the losses": _weights(config),
            "perceptual loss": about.get("perceptual") or _perceptual(config),
            "landmark motion": _motion(about["motion"]),
            "speed": f"{speed(run):.0f} images/s" if about["seconds"] else "–",
            "time": _time(about["seconds"]),
            "device": about["device"],
        }
    return Table(pd.DataFrame(columns).rename_axis("").reset_index())


def _motion(about: Mapping | None) -> str:
    """Whom a run's landmark motion has learnt from, in words."""
    if about is None:
        return "–"
    people = f"{about['training']} training people"
    people += f" and {about['photographs']} of photographs" if about["photographs"] else ", no photographs"
    return people + ("; as strong as their actions" if about["actions"] else "; as strong as their landmarks")


def _time(seconds: float) -> str:
    if not seconds:
        return "–"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def _weights(config: Mapping) -> str:
    found = {
        name.removeprefix("weight_").removesuffix("_weight"): value
        for name, value in config.items()
        if name.startswith("weight_") or name.endswith("_weight")
    }
    return ", ".join(f"{name} {value:g}" for name, value in found.items()) or "–"


def _perceptual(config: Mapping) -> str:
    if "perceptual_network" not in config:
        return "none"
    from fersyn.losses.perceptual import describe

    return describe(config["perceptual_network"])


def curves(name: str, run: Path, most: int = 9) -> Picture | Note:
    """One small chart a loss, over steps; the accuracies of discriminators share one."""
    rows = log(run)
    losses = [column for column in rows.columns if column not in ("step", *APART)]
    if not len(rows) or not losses:
        return Note(f"*{name}* has nothing to train, so there are no curves.")
    losses = losses[:most]
    last = max(1, len(rows) // 20)
    said = "; ".join(f"{loss} {rows[loss].iloc[0]:.3g} → {rows[loss].tail(last).mean():.3g}" for loss in losses)
    with charts.panels(len(losses), 1.75, 0.2, sharex=True) as (figure, axes):
        for axis, loss in zip(axes, losses, strict=True):
            values = rows[loss].astype(float)
            axis.plot(rows["step"], values, color=charts.GREY, lw=1)
            axis.plot(rows["step"], values.rolling(last, min_periods=1, center=True).mean(), color=charts.BLUE, lw=1.6)
            axis.set_title(loss.replace("_", " "), fontsize=10.5)
            axis.grid(axis="y")
        for axis in axes[-3:]:
            axis.set_xlabel("step")
        texts = described("training.curves", name=name, steps=int(rows["step"].iloc[-1]), said=said)
        texts["caption"] += contested(contest.verdicts(run / "log.csv"))
        return Picture.of_figure(figure, **texts)


def contested(fared: Mapping[str, Mapping]) -> str:
    """What is to be said of discriminators (of `contest.verdicts`) that have won, or sleep; empty: nothing."""
    return "".join(
        " " + sentence(f"training.{each['state']}", name=name.replace("_", " "), **each)
        for name, each in fared.items()
        if each["state"]
    )


def samples(name: str, run: Path, table, shown: np.ndarray, most: int = 4) -> Picture | Note:
    """The same people never trained on, as the network saw them at several steps: RUN/samples put together."""
    from fersyn.training.samples import held_out

    files = sorted((run / "samples").glob("*.jpg"))
    if not files:
        return Note(f"*{name}* has nothing to train, so there are no samples of its progress.")
    size = facts(run)["config"]["size"]
    try:
        batch, side = held_out(table, size)
    except FersynError as error:
        return Note(f"No samples: {error}.")
    if not shown[batch.index_source.numpy()].all() or not shown[batch.index_target.numpy()].all():
        return faces.nothing()
    chosen = [files[i] for i in np.unique(np.linspace(0, len(files) - 1, most).round().astype(int))]
    grids = [np.asarray(Image.open(file).convert("RGB")) for file in chosen]
    # Once round the expressions: more people make the page heavy, and tell nothing new.
    number = min(len(set(batch.label.tolist())), grids[0].shape[1] // size)
    rows = [_tiles(grids[-1], 0, size, number), *(_tiles(grid, 2, size, number) for grid in grids)]
    names = ["source", *(f"step {int(file.stem)}" for file in chosen)]
    rows.append(_tiles(grids[-1], 1, size, number))
    who = "never trained on" if side == "test" else "also trained on: nobody is held out"
    return faces.grid(
        rows, [*names, "target"], [EXPRESSIONS[label] for label in batch.label.tolist()[:number]],
        **described("training.samples", name=name, moments=len(chosen), who=who), cell=CELL,
    )  # fmt: skip


def _tiles(grid: np.ndarray, row: int, size: int, number: int) -> list[np.ndarray]:
    return [grid[row * size : (row + 1) * size, k * size : (k + 1) * size] for k in range(number)]
