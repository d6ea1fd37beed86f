"""Keys of tables and trainings: what makes them anew, and what does not."""

import json
import shutil
from types import SimpleNamespace

import pytest

from fersyn.reporting import keys, project
from fersyn.reporting.plan import table_job
from fersyn.training.requests import of_methods


def test_the_loop_and_the_methods_own_networks_count():
    files = {file.name for file in keys.training_files("landmark-flow")}
    assert {"landmark_flow.py", "flow_unet.py", "loop.py", "pairs.py", "perceptual.py"} <= files
    assert not {"c_gan.py", "rendered.py", "cli.py"} & files


def test_inversion_counts_where_a_method_learns_from_codes():
    files = {file.name for file in keys.training_files("stylegan-fer")}
    assert {"stylegan_fer.py", "inversion.py", "inverted.py", "encoder.py", "recogniser.py", "intra_class.py"} <= files
    assert "inversion.py" not in {file.name for file in keys.training_files("landmark-flow")}


def test_what_a_notebook_trains_has_a_folder_of_its_own_for_each_key_and_table():
    request = of_methods(["stylegan-fer"], [], "smoke")["stylegan-fer"]
    one, again, other = (keys.apart(request, SimpleNamespace(fingerprint=print)) for print in ("a", "a", "b"))
    assert one == again != other and one.name.startswith("stylegan-fer.")
    longer = of_methods(["stylegan-fer"], ["steps=4"], "smoke")["stylegan-fer"]
    assert keys.apart(longer, SimpleNamespace(fingerprint="a")).name != one.name


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A copy of fersyn's own files, to be changed."""
    return shutil.copytree(
        project.PACKAGE, tmp_path_factory.mktemp("copy") / "fersyn", ignore=shutil.ignore_patterns("__pycache__")
    )


@pytest.mark.parametrize(
    ("file", "touched"),
    [
        # a file of the package; what has to be made anew after a change in it
        ("methods/landmark_flow.py", {"landmark-flow"}),
        ("nets/flow_unet.py", {"landmark-flow"}),
        ("nets/unet.py", {"c-gan"}),
        ("losses/perceptual.py", {"landmark-flow"}),
        ("losses/adversarial.py", {"landmark-flow", "c-gan"}),
        ("methods/base.py", {"landmark-flow", "c-gan"}),
        ("methods/motion.py", {"landmark-flow", "c-gan"}),
        ("training/loop.py", {"landmark-flow", "c-gan"}),
        ("training/process.py", {"landmark-flow", "c-gan"}),
        ("training/checkpoint.py", {"landmark-flow", "c-gan"}),
        ("pairs.py", {"landmark-flow", "c-gan"}),
        ("augment.py", {"landmark-flow", "c-gan"}),
        ("table.py", {"landmark-flow", "c-gan", "table"}),
        ("expressions.py", {"landmark-flow", "c-gan", "table"}),
        ("faces/align.py", {"table"}),
        ("building/workers.py", {"table"}),
        ("datasets/frames.py", {"table"}),
        ("datasets/rendered.py", {"table"}),
        ("rendering/person.py", {"table"}),
        ("rendering/recipes.yaml", {"table"}),
        *(
            (file, set())
            for file in (
                "weights/registry.py", "weights/registry.yaml", "weights/download.py", "reporting/index.py", "reporting/keys.py", "figures/charts.py",
                "evaluation/scores.py", "datasets/london.py", "methods/__init__.py", "methods/warp.py", "cli.py",
                "training/samples.py", "training/requests.py", "progress.py", "errors.py", "files.py", "system.py",
                "__init__.py",
            )
        ),
    ],
)  # fmt: skip
def test_a_changed_line_makes_anew_what_depends_on_it_and_nothing_else(package, file, touched):
    def digests():
        made = {name: keys.training_files(name, package) for name in ("landmark-flow", "c-gan")}
        made["table"] = keys.table_files("rendered", package)
        return {name: project.digest(files, package) for name, files in made.items()}

    before, text = digests(), (package / file).read_text()
    (package / file).write_text(text + "\n# A further line\n")
    after = digests()
    (package / file).write_text(text)
    assert {name for name in before if before[name] != after[name]} == touched


def test_the_rooms_and_the_files_apart_are_there():
    """Else a renamed one would count, or not, unnoticed."""
    for name in {*keys.TABLE, *keys.TRAINING, *keys.APART}:
        assert (project.PACKAGE / name).exists(), name


def test_a_tables_key_changes_with_the_packages_that_make_it(monkeypatch):
    before = keys.table_key(["openpeople"])
    assert keys.table_key(["openpeople"]) == before
    real = keys.versions
    monkeypatch.setattr(keys, "versions", lambda packages: {**real(packages), "dlib-bin": "0.0"})
    assert keys.table_key(["openpeople"]) != before


def test_a_tables_key_changes_with_its_arguments(tmp_path):
    assert table_job(["folder", "a"]).key != table_job(["folder", "b"]).key
    (tmp_path / "x.jpg").write_bytes(b"1")
    before = table_job(["folder", str(tmp_path)])
    (tmp_path / "y.jpg").write_bytes(b"1")
    after = table_job(["folder", str(tmp_path)])
    assert before.key == after.key and before.sources != after.sources


def test_tree_digest_sees_new_and_changed_files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.jpg").write_bytes(b"1")
    first = keys.tree_digest(tmp_path)
    assert keys.tree_digest(tmp_path) == first
    (tmp_path / "a" / "y.jpg").write_bytes(b"2")
    second = keys.tree_digest(tmp_path)
    assert second != first
    (tmp_path / "a" / "y.jpg").write_bytes(b"23")
    assert keys.tree_digest(tmp_path) != second


@pytest.mark.parametrize("dataset", ["rendered", "openpeople", "ckplus", "oulu-casia", "folder", "nonsense"])
def test_every_table_has_a_digest(dataset):
    assert keys.table_files(dataset) and len(keys.table_key([dataset])) == 16


def test_stand_ins_are_looked_at_again_when_the_generator_has_arrived(tmp_path, monkeypatch):
    from fersyn.nets import mobile_stylegan

    table = tmp_path / "generated"
    assert keys.generator_arrived(table) == []
    table.mkdir()
    lost = ["stylegan-mapping"]
    monkeypatch.setattr(mobile_stylegan, "missing", lambda: lost)
    for instead, missing, again in (("", [], 0), ("rendered people", lost, 0), ("rendered people", [], 1)):
        (table / "table.json").write_text(json.dumps({"instead": instead}))
        monkeypatch.setattr(mobile_stylegan, "missing", lambda missing=missing: missing)
        assert len(keys.generator_arrived(table)) == again


def test_generated_people_hang_on_generator_and_mapper():
    files = {file.name for file in keys.table_files("generated")}
    assert {"generated.py", "casting.py", "casting.yaml", "portrait.py", "expression_mapper.py"} <= files
    assert "landmark_flow.py" not in files
