"""docs/examples: a method is added, trained, measured by notebook 03 and removed, and no other file has to know of it."""

import ast
import hashlib
import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fersyn.methods.base import Synthesiser
from fersyn.pixels import rescale, resize
from fersyn.reporting import project

ROOT = project.root(Path(__file__))
EXAMPLE = ROOT / "docs" / "examples" / "residual_unet.py"
NAME = "residual-unet"
MADE = ("data", "runs", "reports")  # folders that git ignores


@pytest.fixture(scope="module")
def method():
    spec = importlib.util.spec_from_file_location(EXAMPLE.stem, EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.METHOD


def synthesiser(method, **changes):
    torch.manual_seed(0)
    config = method.preset("smoke", **changes)
    networks = method.networks(config)
    return method.synthesiser(config, networks)


def given(count=2, size=64):
    make = torch.Generator().manual_seed(1)
    faces = resize(torch.rand(count, 3, 16, 16, generator=make) * 2 - 1, size)
    source = torch.rand(count, 68, 2, generator=make) * size
    return faces, source, source + torch.randn(count, 68, 2, generator=make)


def test_sixty_lines_with_all_that_they_teach():
    text = EXAMPLE.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            assert ast.get_docstring(node), f"line {node.body[0].lineno}: it is there to teach"
    assert 40 <= len(text.splitlines()) <= 60


def test_it_keeps_the_promises_of_edit(method):
    edit = synthesiser(method).edit
    assert isinstance(synthesiser(method), Synthesiser)
    faces, source, target = given()
    out = edit(faces, ["happy", "anger"], 0.5, landmarks=target, source_landmarks=source)
    assert out.shape == faces.shape and out.abs().max() <= 1 and not out.requires_grad
    alone = edit(faces[:1], "happy", 0.5, landmarks=target[:1], source_landmarks=source[:1])
    assert torch.allclose(out[:1], alone, atol=1e-5), float((out[:1] - alone).abs().max())
    large = edit(resize(faces, 96), "fear", landmarks=rescale(target, 64, 96), source_landmarks=rescale(source, 64, 96))
    assert large.shape == (2, 3, 96, 96)
    assert edit(faces[:0], "fear", landmarks=target[:0], source_landmarks=source[:0]).shape == (0, 3, 64, 64)


def test_reach_bounds_what_is_painted(method):
    faces, source, target = given()
    bent, little, much = (
        synthesiser(method, reach=reach).edit(faces, "fear", landmarks=target, source_landmarks=source)
        for reach in (0.0, 0.1, 2.0)
    )
    assert 0 < (little - bent).abs().max() <= 0.1 + 1e-6 < (much - bent).abs().max()


@pytest.fixture
def copy(tmp_path, small_table, monkeypatch):
    """The project as it is, in a folder of its own, with a small face table; subprocesses run there."""
    folder = tmp_path / "project"
    shutil.copytree(
        ROOT,
        folder,
        ignore=lambda at, names: {
            name
            for name in names
            if name == "__pycache__"
            or (Path(at) == ROOT and (name in MADE or (name[0] == "." and name != ".gitignore")))
        },
    )
    shutil.copytree(small_table.path, folder / "data" / "smoke" / "rendered")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    return folder


def tree(folder):
    """Hash of each file, without what the commands make."""
    files = (path for path in folder.rglob("*") if path.is_file())
    names = ((path.relative_to(folder), path) for path in files)
    return {
        name.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in names
        if name.parts[0] not in (*MADE, ".snakemake")
    }


def run(folder, *arguments, expected=0):
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=os.environ, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_added_trained_measured_and_removed(copy):
    before = tree(copy)
    train = ("fersyn.cli", "train", NAME, "--data", "data/smoke/rendered", "--out", f"runs/smoke/{NAME}")
    assert f"there is no method '{NAME}'" in run(copy, *train, expected=2)

    added = copy / "fersyn" / "methods" / EXAMPLE.name
    shutil.copy(EXAMPLE, added)
    said = "".join(run(copy, "fersyn.cli", "train", "--help").split())  # lines are broken at hyphens too
    assert f"{NAME}," in said
    assert "12 steps" in run(copy, *train, "--profile", "smoke")
    planned = run(
        copy, "fersyn.cli", "report", "--profile", "smoke", "--only", "03", "--dry-run",
        "--set", f"methods=[{NAME}]", "--set", f"editor={NAME}",
    )  # fmt: skip
    assert f"runs/smoke/{NAME} " in planned and "runs/smoke/c-gan" not in planned

    parameters = {
        "faces": "data/smoke/rendered", "profile": "smoke", "methods": [NAME], "editor": NAME,
        "judge_epochs": 1, "sweeps": 1, "examples": 2,
    }  # fmt: skip
    stem = copy / "reports" / "smoke" / "03_image_quality"
    notebook = ("fersyn.reporting.execute", "notebooks/03_image_quality.ipynb", str(stem))
    run(copy, *notebook, "--parameters", json.dumps(parameters))
    found = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    rows = {(row["method"], row["metric"]): row["value"] for row in found["summary"]}
    of_it, of_warp = ({metric for method, metric in rows if method == name} for name in (NAME, "warp"))
    assert {NAME, "copy", "warp"} <= {method for method, _ in rows} and of_it >= of_warp - {
        "rank",
        "rising",
        "pearson",
        "full",
    }
    for metric in ("psnr", "ssim", "landmark_error"):
        assert math.isfinite(rows[NAME, metric]), metric
    assert rows[NAME, "psnr"] != rows["warp", "psnr"]
    assert NAME in stem.with_suffix(".html").read_text(encoding="utf-8")

    added.unlink()
    assert f"there is no method '{NAME}'" in run(copy, *train, expected=2)
    assert tree(copy) == before
