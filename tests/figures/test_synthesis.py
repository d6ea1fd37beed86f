"""Figures of notebook 02, on methods that learn nothing and on a run folder written by hand."""

import json

import numpy as np
import pytest
import torch

from fersyn.evaluation import measure, protocol
from fersyn.figures import Note, Picture, image_quality, synthesis, training
from fersyn.figures.table import sentence
from fersyn.methods.copy import CopySource
from fersyn.methods.warp import Warp
from fersyn.training import runs, samples


class Motion:
    """Opens the mouth; knows two expressions."""

    expressions = ("neutral", "surprise", "anger")

    def without(self, people):
        return self

    def predict(self, landmarks, label, intensity=1.0, source_label=None, size=128):
        moved = landmarks.clone()
        moved[:, 55:60, 1] += 10 * torch.as_tensor(intensity)[:, None]
        return moved


@pytest.fixture(scope="module")
def methods():
    return protocol.floor(128, Motion())


@pytest.fixture(scope="module")
def measured(small_table):
    return protocol.measured_pairs(small_table, everybody=True)


@pytest.fixture(scope="module")
def true(measured):
    return measure.truth(*measured, sets=False, content=False)


@pytest.fixture(scope="module")
def made(methods, true):
    return measure.evaluate(methods, true, ["psnr"])


def all_of(table, value=True):
    return np.full(len(table), value)


def test_settings_and_what_cannot_be_measured():
    text = image_quality.settings(image_quality.FIRST).text
    assert "σ = 1.5" in text and "FID" not in text
    assert "nothing to measure" in sentence("synthesis.nothing_to_measure").lower()


def test_faces_are_those_of_the_methods(methods, measured, true, made, small_table):
    pairs, chosen = measured
    batch = pairs.gather(chosen[:2])
    assert np.array_equal(synthesis.pixels(batch.source)[0], small_table.images(chosen[:1, 0])[0])
    copied, bent = (protocol.edited(methods[name], batch) for name in ("copy", "warp"))
    assert torch.equal(copied, batch.source) and not torch.allclose(bent, batch.source, atol=0.1)
    shown = all_of(small_table)
    for picture in (
        synthesis.results(true, made, shown, 4),
        synthesis.another_person(methods, pairs, chosen, shown, 4),
        synthesis.sweep(methods["warp"], small_table, shown, steps=3, number=2),
        synthesis.photographs(methods["warp"], small_table, shown, 2),
        synthesis.thumbnail(true, made, "warp", shown),
    ):
        assert isinstance(picture, Picture) and picture.alt and len(picture.data) < 400_000
    names = synthesis.thumbnail(true, made, "warp", shown).names
    assert names[0] == "neutral" and names[1].startswith("warp: ") and len(names) in (4, 6, 8)


def test_a_guide_is_another_person_with_the_same_expression(measured, small_table):
    _, chosen = measured
    found = synthesis.strangers(small_table, chosen, all_of(small_table), 6)
    labels = {(int(s), int(t)): small_table.labels()[t] for s, t in chosen}
    assert len(found) == 6
    for source, guide in found:
        assert small_table.people[source] != small_table.people[guide]
        assert small_table.labels()[guide] in {label for (s, _), label in labels.items() if s == source}


def test_nobody_is_pictured_who_did_not_agree(methods, measured, true, made, small_table, tmp_path):
    pairs, chosen = measured
    nobody = all_of(small_table, False)
    for note in (
        synthesis.results(true, made, nobody),
        synthesis.another_person(methods, pairs, chosen, nobody),
        synthesis.sweep(methods["warp"], small_table, nobody),
        synthesis.photographs(methods["warp"], small_table, nobody),
        training.samples("c-gan", run_folder(tmp_path, small_table), small_table, nobody),
    ):
        assert isinstance(note, Note)
    assert synthesis.thumbnail(true, made, "warp", nobody) is None
    one = small_table.people == small_table.people[0]
    assert set(true.people[synthesis._may(true, one)]) == {small_table.people[0]}


def test_without_motion_or_photographs_a_sentence_says_so(methods, small_table, tmp_path):
    assert "no landmark motion" in synthesis.sweep(Warp(128), small_table, all_of(small_table)).text
    assert synthesis.open_photographs(tmp_path / "none") is None
    assert "fersyn data" in synthesis.photographs(methods["warp"], None, None).text
    assert methods["warp"].expressions == ("surprise", "anger")


def run_folder(folder, table):
    config = {"size": 64, "batch": 4, "lr": 2e-4, "decay_share": 0.5, "weight_pixel": 100.0}
    record = {
        "method": "c-gan", "step": 40, "seconds": 8.0, "device": "CPU", "perceptual": None,
        "parameters": {"generator": 2_000_000, "discriminator": 1_000_000},
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "config.json").write_text(json.dumps({"method": "c-gan", "config": config}))
    lines = [f"{10 * k},{3 - k},0.{k},1,20,{k}" for k in range(1, 5)]
    (folder / "log.csv").write_text(
        "\n".join(["step,pixel,discriminator,lr_factor,images_per_s,seconds", *lines]) + "\n"
    )
    batch, _ = samples.held_out(table, 64)
    for step in (10, 20, 30, 40):
        samples.write(samples.draw(CopySource(64), batch), folder / "samples" / f"{step:07d}.jpg")
    return folder


def test_a_run_folder_is_shown(small_table, tmp_path):
    run = run_folder(tmp_path, small_table)
    assert runs.speed(run) == pytest.approx(40 * 4 / 8)
    page = training.settings({"c-gan": run})._repr_html_()
    for part in ("64 × 64 px", "40 × 4", "2.00 million", "pixel 100", "20 images/s", "8 s"):
        assert part in page
    curves = training.curves("c-gan", run)
    assert isinstance(curves, Picture) and "pixel" in curves.alt and "lr_factor" not in curves.alt
    picture = training.samples("c-gan", run, small_table, all_of(small_table), most=3)
    assert isinstance(picture, Picture) and "never trained on" in picture.caption and "3 moments" in picture.alt


def test_what_was_not_trained_has_no_curves(small_table, tmp_path):
    run = run_folder(tmp_path, small_table)
    (run / "log.csv").unlink()
    for file in (run / "samples").iterdir():
        file.unlink()
    assert isinstance(training.curves("copy", run), Note)
    assert isinstance(training.samples("copy", run, small_table, all_of(small_table)), Note)


def test_methods_that_work_on_smaller_faces_are_told():
    made = {"copy": CopySource(128), "a": CopySource(64), "b": CopySource(64), "c": CopySource(32)}
    text = synthesis.sizes_note(made, 128).text
    assert "(c: 32 × 32 px; a, b: 64 × 64 px)" in text and "copy" not in text
    assert "All methods work on faces of 128 × 128 px" in synthesis.sizes_note({"copy": CopySource(256)}, 128).text
