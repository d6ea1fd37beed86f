"""Training a LightCNN-9 on people that the kit renders: a face verifier of our own, where nobody's weights can be had.

As its authors train it (Wu et al. 2018 and their code): identities told apart by a softmax behind a dropout of a half,
on grey faces of 144 px of which 128 px are cut at random, mirrored or not. [ours, for a few hundred people instead of
ten thousands: AdamW with a one-cycle learning rate, random brightness and contrast.] It never takes the name of the
published network: tables call it "LightCNN-9, trained on rendered people".
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fersyn.errors import FersynError

if TYPE_CHECKING:  # `fersyn --help` needs neither
    import numpy as np
    import torch

    from fersyn.table import FaceTable

METHOD = "verifier"
POPULATION = 1000  # added to the seed: the rendered people are others than those of `fersyn data rendered --seed`
LOG_EVERY = 20  # steps
LARGE, SMALL, EYE_HEIGHT = 144, 128, 48  # px, of the authors' training faces


@dataclass(frozen=True)
class Settings:
    """Settings of a training.

    Attributes:
        steps: batches.
        batch: faces a step.
        lr: highest learning rate.
        weight_decay: of AdamW.
    """

    steps: int = 3000
    batch: int = 32
    lr: float = 1e-3
    weight_decay: float = 1e-3

    def __post_init__(self):
        if self.steps < 1 or self.batch < 1 or not self.lr > 0 or not self.weight_decay >= 0:
            raise FersynError(f"settings of the verifier out of range: {self}; steps, batch and lr must be above 0")


def train_verifier(
    table: FaceTable,
    out: str | Path,
    settings: Settings | None = None,
    seed: int = 0,
    resume: bool = False,
    save_every: int = 200,
) -> Path:
    """Train a LightCNN-9 to tell the training people of a table apart.

    Args:
        table: face table; only people of split 'train' are looked at.
        out: run folder: config.json, people.json, log.csv, checkpoint.pt, run.json.
        settings: steps, batch, learning rate.
        seed: of weights, batches and their variation.
        resume: go on with the run in `out`; begin one if there is none.
        save_every: steps between two checkpoints.

    Returns:
        the run folder.

    Raises:
        FersynError: fewer than two people to tell apart, or a run in `out` and `resume` is not given.
        CheckpointError: `resume`, but the checkpoint is of other settings, another table or other people.
        KeyboardInterrupt: interrupted; what was done until then is saved.
    """
    from fersyn.files import locked
    from fersyn.training.random import kept

    out, settings = Path(out), settings or Settings()
    try:
        out.mkdir(parents=True, exist_ok=True)
        with locked(out / ".lock"), kept():
            return _train(table, out, settings, seed, resume, save_every)
    except BlockingIOError:
        raise FersynError(f"{out} is being trained by another process; wait for it, or use another --out") from None
    except OSError as error:
        raise FersynError(f"{out} cannot be written: {error}") from None


def _train(table, out: Path, settings: Settings, seed: int, resume: bool, save_every: int) -> Path:
    import numpy as np
    import torch
    from torch.nn import functional

    from fersyn.nets.light_cnn import LightCNN9
    from fersyn.progress import Progress
    from fersyn.training import checkpoint, runs
    from fersyn.training.random import INITIAL, reseed
    from fersyn.training.runlog import RunLog
    from fersyn.training.stop import StopFlag

    rows = np.flatnonzero((table.rows["split"] == "train").to_numpy())
    names, labels = np.unique(table.people[rows].astype(str), return_inverse=True)
    if len(names) < 2:
        raise FersynError(f"{table.path}: {len(names)} people to train on; a verifier needs two at least")
    state = _opened(out, table, settings, seed, resume, names.tolist())
    step, seconds, last = (int(state["step"]), float(state["seconds"]), state["last"]) if state else (0, 0.0, {})
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    about = {
        "method": METHOD, "network": "LightCNN-9", "kind": str(table.info["dataset"]), "people": len(names),
        "faces": len(rows), "table": table.fingerprint, "seed": seed, "settings": asdict(settings),
        "device": runs.device_name(device),
    }  # fmt: skip
    if step >= settings.steps:  # the last checkpoint may have been followed by a kill
        runs.write_json(out / "run.json", {**about, **last, "seconds": round(seconds, 1)})
        return out
    reseed(seed, INITIAL)
    network = LightCNN9(len(names)).to(device).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    if state:
        checkpoint.load_into({METHOD: network}, state["networks"], out)
        optimiser.load_state_dict(state["optimisers"][METHOD])
    else:
        runs.write_json(out / "config.json", {"method": METHOD, "seed": seed, "config": asdict(settings)})
        runs.write_people(out, names.tolist())
    faces, labels = _faces(table, rows).to(device), torch.from_numpy(labels).to(device)

    def save(number: int) -> None:
        checkpoint.save(
            out,
            {
                "method": METHOD, "config": asdict(settings), "table": table.fingerprint, "people": names.tolist(),
                "seed": seed, "step": number, "seconds": seconds + time.monotonic() - began, "last": last,
                "averages": {}, "networks": {METHOD: network.state_dict()},
                "optimisers": {METHOD: optimiser.state_dict()},
            },
        )  # fmt: skip

    log, began = RunLog(out / "log.csv", step), time.monotonic()
    with StopFlag() as stop, Progress(settings.steps, "verifier", done=step, unit="step") as progress:
        for number in range(step, settings.steps):
            reseed(seed, number)
            chosen = torch.from_numpy(chosen_faces(len(rows), settings.batch, number, seed)).to(device)
            for group in optimiser.param_groups:
                group["lr"] = settings.lr * rate(number, settings.steps)
            logits = network.logits(varied(faces[chosen]))
            loss = functional.cross_entropy(logits, labels[chosen])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            done, end = number + 1, number + 1 == settings.steps
            if done % LOG_EVERY == 0 or end:
                accuracy = (logits.argmax(1) == labels[chosen]).float().mean()
                last = {"loss": loss.item(), "accuracy": accuracy.item()}
                if not math.isfinite(last["loss"]):
                    raise FersynError(f"{out}: the loss of step {done} is not finite; use a smaller --lr")
                log.add(done, last)
            if done % save_every == 0 or end or stop.raised:
                save(done)
            if stop.raised and not end:
                raise KeyboardInterrupt
            progress.advance(1, f"loss {last['loss']:.3f}" if done % LOG_EVERY == 0 else None)
    seconds += time.monotonic() - began
    runs.write_json(out / "run.json", {**about, **last, "seconds": round(seconds, 1)})
    return out


def _opened(out: Path, table, settings: Settings, seed: int, resume: bool, people: list[str]) -> dict | None:
    """Return the checkpoint to go on from, or None."""
    from fersyn.training import checkpoint

    if not checkpoint.find(out):
        return None
    if not resume:
        raise FersynError(
            f"{out} holds a training already; go on with it by --resume, or begin another in another --out"
        )
    state = checkpoint.read(out)
    checkpoint.check(
        state, out, method=METHOD, config=asdict(settings), table=table.fingerprint, seed=seed, people=people
    )
    return state


def _faces(table, rows: np.ndarray) -> torch.Tensor:
    """Grey faces uint8 (N, 1, 144, 144), cut out as the authors cut theirs."""
    import numpy as np
    import torch

    from fersyn.faces.crop import light_cnn_crop

    faces = np.empty((len(rows), 1, LARGE, LARGE), np.uint8)
    for start in range(0, len(rows), 256):
        part = rows[start : start + 256]
        for i, (image, points) in enumerate(zip(table.images(part), table.landmarks(part), strict=True), start):
            faces[i, 0] = light_cnn_crop(image, points, LARGE, EYE_HEIGHT)
    return torch.from_numpy(faces)


def chosen_faces(count: int, batch: int, step: int, seed: int) -> np.ndarray:
    """Positions (batch,) of the faces of a step: all faces once in each epoch, in an order of (seed, epoch)."""
    import numpy as np

    places = step * batch + np.arange(batch)
    order = {epoch: np.random.default_rng([seed, int(epoch)]).permutation(count) for epoch in set(places // count)}
    return np.array([order[place // count][place % count] for place in places])


def rate(step: int, steps: int, warm: float = 0.1) -> float:
    """Part of the learning rate at which a step is taken: a straight rise, then half a cosine down to 0."""
    rise = max(1.0, warm * steps)
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1.0, steps - rise)))


def varied(faces: torch.Tensor) -> torch.Tensor:
    """Faces uint8 (N, 1, 144, 144) -> float (N, 1, 128, 128) in [0, 1]: cut at random, mirrored, of other brightness
    and contrast; drawn from torch's global generator.
    """
    import torch

    count = len(faces)
    corners = torch.randint(0, LARGE - SMALL + 1, (count, 2)).tolist()
    mirrored = (torch.rand(count) < 0.5).to(faces.device)[:, None, None, None]
    light = torch.randn(2, count, 1, 1, 1).to(faces.device)
    cut = torch.stack([face[:, y : y + SMALL, x : x + SMALL] for face, (y, x) in zip(faces, corners, strict=True)])
    grey = torch.where(mirrored, cut.flip(3), cut).float() / 255
    return ((grey - 0.5) * (0.2 * light[0]).exp() + 0.5 + 0.06 * light[1]).clamp(0, 1)


def read_about(run: str | Path) -> dict:
    """RUN/run.json of a finished verifier; raises FersynError where there is none."""
    path = Path(run) / "run.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        about = {}
    except (OSError, ValueError) as error:
        raise FersynError(f"{path} cannot be read ({error}); train again into another folder") from None
    if about.get("method") != METHOD:
        raise FersynError(f"{run} holds no finished verifier; train one: fersyn train-verifier --out {run} --resume")
    return about


def command(
    out: Annotated[Path, typer.Option("--out", help="Folder of the run.")],
    people: Annotated[int, typer.Option(help="Number of people to render; with --data, to train on (0: all).")] = 0,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Face table to train on (default: people rendered for it, in OUT/faces)."),
    ] = None,
    steps: Annotated[int, typer.Option(help="Training steps; a second or two each on two cores.")] = Settings.steps,
    batch: Annotated[int, typer.Option(help="Faces a step.")] = Settings.batch,
    lr: Annotated[float, typer.Option(help="Highest learning rate.")] = Settings.lr,
    seed: Annotated[int, typer.Option(help="Who is rendered; of weights and batches.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, if there is one.")] = False,
) -> None:
    """Train a LightCNN-9 as face verifier on rendered people, for notebook 05's parameter `verifier_run`."""
    from fersyn.table import FaceTable

    table = FaceTable.open(data) if data else _rendered(out / "faces", people or 200, POPULATION + seed)
    if data and people:
        table = table.view(people=people, seed=seed)
    train_verifier(table, out, Settings(steps, batch, lr), seed, resume)
    about = read_about(out)
    typer.echo(
        f"{out}\tLightCNN-9, {about['people']} {about['kind']} people\t{steps} steps, accuracy {about['accuracy']:.2f}"
    )


def _rendered(path: Path, people: int, population: int) -> FaceTable:
    """People of a population of their own; built once. A tenth of them is kept from the training, as in every table."""
    from fersyn.building.pool import start_server
    from fersyn.building.preprocess import build_table
    from fersyn.datasets.rendered import read_rendered

    start_server()  # loads while the rest is imported here
    return build_table(read_rendered(subjects=people, seed=population), path)
