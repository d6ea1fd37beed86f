"""Training a LightCNN-9 on people that the kit renders: a face verifier of our own, where nobody's weights can be had.

As its authors train it (Wu et al. 2018 and their code): identities told apart by a softmax behind a dropout of a half,
on grey faces of 144 px of which 128 px are cut at random, mirrored or not. [ours, for a few hundred people instead of
ten thousands: AdamW with a one-cycle learning rate, random brightness and contrast.] It never takes the name of the
published network: tables call it "LightCNN-9, trained on rendered people".
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from fersyn.errors import FersynError
from fersyn.faces.crop import light_cnn_crop
from fersyn.methods.base import Method, MethodConfig, Stage
from fersyn.nets.light_cnn import LightCNN9
from fersyn.table import FaceTable
from fersyn.training import loop, runs

POPULATION = 1000  # added to the seed: the rendered people are others than those of `fersyn data rendered --seed`
LARGE, SMALL, EYE_HEIGHT = 144, 128, 48  # px, of the authors' training faces


class Settings(MethodConfig):
    """Settings of a training."""

    size: int = SMALL
    steps: int = Field(3000, ge=1, description="batches")
    batch: int = Field(32, ge=1, description="faces a step")
    lr: float = Field(1e-3, gt=0, le=1, description="highest learning rate")
    weight_decay: float = Field(1e-3, ge=0, description="of AdamW")
    people: int = Field(2, ge=2, description="to be told apart; as many as the table has")
    ema: float = 0.0
    averaged: tuple[str, ...] = ()


class Faces:
    """Single labelled faces: grey ones of a table's training people, uint8 (N, 1, 144, 144), cut out as the authors cut
    theirs, and the person's number.
    """

    def __init__(self, config: Settings, table: FaceTable, device: Any):
        rows, _, labels = _training(table)
        faces = np.empty((len(rows), 1, LARGE, LARGE), np.uint8)
        for start in range(0, len(rows), 256):
            part = rows[start : start + 256]
            for i, (image, points) in enumerate(zip(table.images(part), table.landmarks(part), strict=True), start):
                faces[i, 0] = light_cnn_crop(image, points, LARGE, EYE_HEIGHT)
        self.faces, self.labels = torch.from_numpy(faces).to(device), torch.from_numpy(labels).to(device)

    def batch(self, step: int, batch_size: int, seed: int = 0, rank: int = 0, world: int = 1) -> tuple[Tensor, Tensor]:
        """Faces (N, 1, 144, 144) and people (N,) of a step."""
        chosen = chosen_faces(len(self.labels), batch_size, step, seed)
        part = chosen[rank * batch_size // world : (rank + 1) * batch_size // world]
        places = torch.from_numpy(part).to(self.labels.device)
        return self.faces[places], self.labels[places]


class Verifier(Method):
    """A network that learns and edits nothing: it is trained by the loop of the methods, and used by
    `fersyn.evaluation.verifiers`.
    """

    Config, edits = Settings, False

    def networks(self, config: Settings) -> dict[str, torch.nn.Module]:
        """One, with a class a person."""
        return {"verifier": LightCNN9(config.people)}

    def optimisers(self, config: Settings, networks) -> dict[str, torch.optim.Optimizer]:
        """AdamW."""
        weights = networks["verifier"].parameters()
        return {"verifier": torch.optim.AdamW(weights, lr=config.lr, weight_decay=config.weight_decay)}

    def stages(self, config: Settings) -> tuple[Stage, ...]:
        """One, on single faces."""
        return (Stage("training", config.steps, self.step, Faces, rate=lambda step: rate(step, config.steps)),)

    def step(self, config: Settings, networks, optimisers, batch, fabric, step: int) -> dict[str, Tensor]:
        """Cross-entropy over the people."""
        faces, people = batch
        networks["verifier"].mark_forward_method("logits")  # `forward` is the descriptor
        logits = networks["verifier"].logits(varied(faces))
        loss = functional.cross_entropy(logits, people)
        optimisers["verifier"].zero_grad(set_to_none=True)
        fabric.backward(loss)
        optimisers["verifier"].step()
        return {"loss": loss.detach(), "accuracy": (logits.argmax(1) == people).float().mean()}


METHOD = Verifier()


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
        settings: steps, batch, learning rate; how many people there are is the table's to say.
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
    _, names, _ = _training(table)
    if len(names) < 2:
        raise FersynError(f"{table.path}: {len(names)} people to train on; a verifier needs two at least")
    config = (settings or Settings()).replace(people=len(names))
    return loop.train(METHOD, config, table, out, seed, resume, checkpoint_every=save_every)


def _training(table: FaceTable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the training people, their names, and for each row the number of its person's."""
    rows = np.flatnonzero((table.rows["split"] == "train").to_numpy())
    names, labels = np.unique(table.people[rows].astype(str), return_inverse=True)
    return rows, names, labels


def chosen_faces(count: int, batch: int, step: int, seed: int) -> np.ndarray:
    """Positions (batch,) of the faces of a step: all faces once in each epoch, in an order of (seed, epoch)."""
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
    count = len(faces)
    corners = torch.randint(0, LARGE - SMALL + 1, (count, 2)).tolist()
    mirrored = (torch.rand(count) < 0.5).to(faces.device)[:, None, None, None]
    light = torch.randn(2, count, 1, 1, 1).to(faces.device)
    cut = torch.stack([face[:, y : y + SMALL, x : x + SMALL] for face, (y, x) in zip(faces, corners, strict=True)])
    grey = torch.where(mirrored, cut.flip(3), cut).float() / 255
    return ((grey - 0.5) * (0.2 * light[0]).exp() + 0.5 + 0.06 * light[1]).clamp(0, 1)


def read_about(run: str | Path) -> dict[str, Any]:
    """What became of a finished verifier: RUN/run.json with its last losses, `people` (how many it was trained on) and
    their `kind` (the data set); raises FersynError where there is none.
    """
    path = Path(run) / "run.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        if about["method"] != METHOD.name or not about["finished"]:
            raise KeyError
        people = len(runs.trained_people(Path(run)))
        more = {"network": "LightCNN-9", "kind": about["table"]["dataset"], "people": people}
        return {**about, **about["losses"], **more}
    except (FileNotFoundError, KeyError):
        raise FersynError(
            f"{run} holds no finished verifier; train one: fersyn train-verifier --out {run} --resume"
        ) from None
    except (OSError, ValueError) as error:
        raise FersynError(f"{path} cannot be read ({error}); train again into another folder") from None


def rendered(path: Path, people: int, seed: int) -> FaceTable:
    """People of a population of their own; built once. A tenth of them is kept from the training, as in every table."""
    from fersyn.building.preprocess import build_table
    from fersyn.building.workers import start_server
    from fersyn.datasets.rendered import read_rendered

    start_server()  # loads while the rest is imported here
    return build_table(read_rendered(subjects=people, seed=POPULATION + seed), path)
