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
