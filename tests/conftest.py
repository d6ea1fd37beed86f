"""Fixtures for all tests: small, made here, no network. Faces come from the package openpeople."""

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

os.environ.setdefault("FERSYN_PROGRESS", "plain")
settings.register_profile("fersyn", deadline=None, derandomize=True)  # the first call loads models and libraries
settings.load_profile("fersyn")

PEOPLE = 4


@pytest.fixture(autouse=True)
def unmetered(monkeypatch):
    """Trainings measure no actions: that takes seconds, and weights. Tests of that measure by themselves."""
    from fersyn.training import moving

    monkeypatch.setattr(moving, "_meter", lambda: None)
    monkeypatch.setattr(moving, "_metering", lambda: False)


@pytest.fixture(scope="session")
def people_frames():
    """Frames of four people with seven expressions each: (FrameSet, subset of openpeople)."""
    from fersyn.datasets.openpeople import read_openpeople

    frame_set = read_openpeople()
    return replace(frame_set, frames=frame_set.frames[: 7 * PEOPLE])


@pytest.fixture(scope="session")
def portraits(people_frames):
    """Photo-like pictures by (subject, expression): uint8 RGB, about 260 x 173 px, four people with seven
    expressions.
    """
    pictures = {}
    for frame in people_frames.frames:
        image = frame.picture().image
        pictures[frame.subject, frame.expression] = cv2.resize(
            image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA
        )
    return pictures


@pytest.fixture(scope="session")
def portrait(portraits):
    """One neutral portrait, uint8 RGB."""
    return portraits["P001", "neutral"]


@pytest.fixture(scope="session")
def small_table(people_frames, tmp_path_factory):
    """A face table of 28 faces: four people, seven expressions. Read it, never write to it."""
    from fersyn.building.preprocess import build_table

    return build_table(people_frames, tmp_path_factory.mktemp("tables") / "small", workers=0)


@pytest.fixture
def save():
    """A function that writes a uint8 RGB picture to a path (folders made; format by suffix) and returns the path."""

    def write(image: np.ndarray, path: Path, **options) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path, **options)
        return path

    return write


@pytest.fixture(scope="session")
def population(portraits):
    """A population whose pictures are openpeople's, not a generator's: two people, three mappers. Read it, never write to it.

    "without facex" moves nobody; person 1 looks aside; the meter says strength times half of what was wanted.
    """
    from types import SimpleNamespace

    import torch

    from fersyn.evaluation import population as module
    from fersyn.figures.faces import fit
    from fersyn.nets.expression_mapper import GUIDES, NONE

    subjects = ("P001", "P002")

    def seen(index, expression):
        whole = portraits[subjects[index], "neutral" if expression == "contempt" else expression]
        return fit(whole, 256)

    def mapper(*without):
        guides = tuple(name for name in GUIDES if name not in without)
        return SimpleNamespace(guides=guides, gain=1.3, manner_mean=torch.full((NONE + 1, 52), 0.1))

    def metered(faces):
        return np.zeros((len(faces), 478, 3), np.float32) + np.arange(478)[:, None], np.zeros((len(faces), 52))

    moved_by = {module.SHIPPED: mapper(), module.ALIKE: mapper(), "without facex": mapper("facex")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "person", lambda seed, index, truncation: torch.tensor([[float(index)]]))
        patch.setattr(
            module, "makers", lambda: (SimpleNamespace(layers=lambda w: w, styles=23), moved_by[module.SHIPPED])
        )
        patch.setattr(module, "picture", lambda layers: seen(int(layers), "happiness"))
        patch.setattr(module, "portrait", lambda seed, index, truncation, expression, strength: seen(index, expression))
        still = moved_by["without facex"]
        patch.setattr(
            module, "moved",
            lambda mapper, w, expression, *_: seen(int(w), "neutral" if mapper is still else expression),
        )  # fmt: skip
        patch.setattr(module.instruments, "available", lambda name: True)
        patch.setattr(module.casting, "candidate", lambda seed, index, truncation: ("not frontal" if index else "", []))
        patch.setattr(module, "metered", metered)
        found = module.draw(moved_by, 2, 7, 0.7)
    return replace(found, actions=found.rows["strength"].to_numpy()[:, None] * np.full(52, 0.5 * 1.3 * 0.1))
