"""Trainings in the plan and in the Snakefile: what they depend on, and what reruns them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fersyn.errors import FersynError
from fersyn.reporting import keys, project
from fersyn.reporting.plan import plan
from fersyn.training.requests import chosen, editor_note, editor_of, of_methods, settings_of

ROOT = project.root(Path(__file__))
PARAMETERS = """
faces = 'data/laptop/people'
photos = ''
methods = ['c-gan', 'landmark-flow']
settings = []
profile = 'laptop'
runs = ''
seed = 0
results = ''
"""
PROFILE = "seed: 0\nmethods: [c-gan, landmark-flow]\ntables:\n  people: folder a\n  others: folder b\n"


@pytest.fixture
def training_project(tmp_path, make_notebook, monkeypatch):
    """A project whose notebook 02 trains two methods on the first of two tables, with profile smoke."""
    shutil.copy(ROOT / "Snakefile", tmp_path)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "smoke.yaml").write_text(PROFILE)
    make_notebook("table = ''\nseed = 0\nresults = ''", name="01_look", folder=tmp_path / "notebooks")
    make_notebook(PARAMETERS, name="02_train", folder=tmp_path / "notebooks")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return tmp_path


def test_one_run_for_all_methods_with_what_it_reads(training_project):
    found = plan("smoke", folder=training_project)
    run = found.runs["02_train"]
    assert list(found.runs) == ["01_look-people", "01_look-others", "02_train"]
    assert run.trainings == ["c-gan", "landmark-flow"] and run.tables == ["people"]
    assert run.parameters["faces"] == "data/smoke/people" and run.parameters["profile"] == "smoke"
    assert run.parameters["runs"] == found.training_folder == "runs/smoke"
    assert (
        found.trainings["c-gan"].arguments == "--profile smoke --seed 0" and found.trainings["c-gan"].table == "people"
    )


def test_landmark_motions_learn_from_the_profiles_photographs(training_project):
    profile = training_project / "profiles" / "smoke.yaml"
    make = training_project / "notebooks" / "01_look.ipynb"
    make.write_text(make.read_text().replace("table = ''", "table = ''\\nphotos = ''"))
    before = plan("smoke", folder=training_project).trainings["landmark-flow"]
    profile.write_text(PROFILE + "photos: data/smoke/others\n")
    found = plan("smoke", only=["02"], folder=training_project)
    job = found.trainings["landmark-flow"]
    assert job.arguments == f"{before.arguments} --photos data/smoke/others" and job.photos == "others"
    assert job.key == before.key, "no network learns from them: nothing is trained anew"
    assert set(found.tables) == {"people", "others"}, "the job waits for them"
    profile.write_text(PROFILE + "photos: data/elsewhere\n")
    assert plan("smoke", folder=training_project).trainings["landmark-flow"] == before, "there is no such table"


def test_only_another_notebook_trains_nothing(training_project):
    assert plan("smoke", only=["01"], folder=training_project).trainings == {}


def test_a_setting_of_one_method_retrains_that_one(training_project):
    before = plan("smoke", folder=training_project).trainings
    after = plan("smoke", ["settings=[c-gan.steps=9]"], folder=training_project).trainings
    assert (
        after["c-gan"].arguments == "--profile smoke --seed 0 --set steps=9"
        and after["c-gan"].key != before["c-gan"].key
    )
    assert after["landmark-flow"] == before["landmark-flow"]
    seed = plan("smoke", ["seed=4"], folder=training_project).trainings
    assert set(seed) == {f"{name}.seed4" for name in before}, "the runs of seed 0 stay"


def test_code_of_one_method_retrains_that_one(training_project, monkeypatch):
    before = plan("smoke", folder=training_project)
    digest = project.digest
    mark = "c_gan.py"
    monkeypatch.setattr(keys, "digest", lambda files: digest(files) + "x" * any(file.name == mark for file in files))
    after = plan("smoke", folder=training_project)
    assert after.trainings["c-gan"].key != before.trainings["c-gan"].key
    assert after.trainings["landmark-flow"].key == before.trainings["landmark-flow"].key
    assert after.runs["02_train"].code != before.runs["02_train"].code
    mark = "loop.py"
    loop = plan("smoke", folder=training_project)
    assert all(loop.trainings[name].key != before.trainings[name].key for name in before.trainings)


def test_vgg19_that_arrives_retrains_what_takes_it(training_project, monkeypatch):
    def keys(*settings):
        return {name: job.key for name, job in plan("smoke", settings, folder=training_project).trainings.items()}

    there = []
    monkeypatch.setattr("fersyn.weights.find", lambda name: Path(name) if name in there else None)
    before, settled = keys(), keys("settings=[landmark-flow.perceptual_network=vgg16]")
    off = keys("settings=[landmark-flow.weight_perceptual=0]")
    there += ["vgg19"]
    after = keys()
    assert after["c-gan"] == before["c-gan"] and after["landmark-flow"] != before["landmark-flow"]
    assert keys("settings=[landmark-flow.perceptual_network=vgg16]") == settled
    assert keys("settings=[landmark-flow.weight_perceptual=0]") == off


def test_a_table_made_by_hand_reruns_the_notebook_that_reads_it(training_project):
    mine = training_project / "data" / "mine"
    settings = ["photos=data/mine"]
    mine.mkdir(parents=True)
    (mine / "table.json").write_text('{"fingerprint": "1"}')
    before = plan("smoke", settings, folder=training_project).runs
    (mine / "table.json").write_text('{"fingerprint": "2"}')
    after = plan("smoke", settings, folder=training_project).runs
    assert after["02_train"].code != before["02_train"].code
    assert after["01_look-people"] == before["01_look-people"]


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ("methods: [e-gan]\ntables:\n  people: folder a\n", "there is no method 'e-gan'; there are: c-gan, copy"),
        ("faces: data/smoke/none\ntables:\n  people: folder a\n", "tables` make: data/smoke/people"),
        ("profile: huge\ntables:\n  people: folder a\n", "smoke, laptop, paper"),
    ],
)
def test_wrong_profiles_are_refused(training_project, profile, message):
    (training_project / "profiles" / "smoke.yaml").write_text(profile)
    with pytest.raises(FersynError, match=message):
        plan("smoke", folder=training_project)


def test_the_snakefile_trains_before_the_notebook(training_project):
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", "--nolock", "--config", "profile=smoke",
         "only=02"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert said.count("rule train:") == 2 and said.count("rule table:") == 1
    assert "runs/smoke/c-gan.json" in said and "runs/smoke/landmark-flow.json" in said
    assert said.index("rule train:") < said.index("rule notebook:")


def test_a_number_of_a_notebook_is_no_number(training_project):
    """Snakemake reads only=02 as 2, which is part of the name of a table, too."""
    (training_project / "profiles" / "smoke.yaml").write_text(PROFILE.replace("others", "others2"))
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", "--nolock", "--config", "profile=smoke",
         "only=02"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert said.count("rule notebook:") == 1 and "output: reports/smoke/02_train.ipynb" in said


def test_settings_of_a_method():
    given = ["lr=1e-4", "c-gan.steps=9", "landmark-flow.betas=[0.5, 0.9]"]
    assert settings_of(given, "c-gan") == ("lr=1e-4", "steps=9")
    assert settings_of(given, "landmark-flow") == ("lr=1e-4", "betas=[0.5, 0.9]")


def test_every_seed_is_a_training_of_its_own():
    found = of_methods(["c-gan", "copy"], ["c-gan.steps=9"], "smoke", seed=2, seeds=2)
    assert list(found) == ["c-gan.seed2", "copy.seed2", "c-gan.seed3", "copy.seed3"]
    assert list(of_methods(["copy"], [], "smoke", seeds=2)) == ["copy", "copy.seed1"]
    assert found["c-gan.seed3"].arguments == ["--profile", "smoke", "--seed", "3", "--set", "steps=9"]


def test_one_method_alone(training_project):
    """`--set method=...`, as papermill's -p method."""
    book = training_project / "notebooks" / "02_train.ipynb"
    book.write_text(book.read_text().replace("settings = []", "method = ''\\nsettings = []"))
    assert plan("smoke", folder=training_project).runs["02_train"].trainings == ["c-gan", "landmark-flow"]
    found = plan("smoke", ["method=c-gan"], folder=training_project)
    assert found.runs["02_train"].trainings == ["c-gan"] and list(found.trainings) == ["c-gan"]
    assert found.runs["02_train"].parameters["method"] == "c-gan"
    warp = plan("smoke", ["method=warp"], folder=training_project)  # which the profile does not name
    assert warp.runs["02_train"].trainings == ["warp"]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("method=e-gan", "or --set: method: there is no method 'e-gan'; there are: c-gan"),
        ("methods=[]", r"or --set: methods = \[\]: name at least one of: c-gan"),
        ("methods=c-gan", r"methods = 'c-gan': a list is needed; give it as   --set 'methods=\[c-gan\]'"),
        ("editor=flow", "or --set: editor: there is no method 'flow'"),
        ("seeds=0", "seeds = 0: at least 1 is needed"),
    ],
)
def test_wrong_settings_are_refused_before_anything_runs(training_project, setting, message):
    book = training_project / "notebooks" / "02_train.ipynb"
    book.write_text(book.read_text().replace("settings = []", "method = ''\\neditor = ''\\nseeds = 1\\nsettings = []"))
    with pytest.raises(FersynError, match=message):
        plan("smoke", [setting], folder=training_project)


def test_the_project_plans_what_the_issue_asks_for():
    """Read from the real notebooks and profiles: nothing is run."""
    part = plan("smoke", ["seeds=5"], only=["05"])
    assert list(part.runs) == ["05_identity"] and part.runs["05_identity"].parameters["seeds"] == 5
    firsts = ["landmark-label", "c-gan", "landmark-flow", "fesgan", "de-gan", "emotion-gan"]
    assert part.runs["05_identity"].trainings[:7] == [*firsts, "landmark-label.seed1"]
    assert len(part.trainings) == 30
    alone = plan("laptop", ["method=landmark-flow"])
    for name in ("02_training", "03_image_quality", "05_identity"):
        assert alone.runs[name].trainings == ["landmark-flow"]
    assert alone.runs["06_augmentation"].parameters["augment_with"] == "landmark-flow"
    assert "method" not in alone.runs["06_augmentation"].parameters
    whole = plan("laptop").runs["03_image_quality"]
    assert whole.trainings == firsts, "06's choice does not narrow the others"


def test_the_generators_notebook_waits_for_the_tables_that_it_names():
    run = plan("smoke").runs["08_generator"]
    assert run.tables == ["generated", "rendered", "openpeople"] and run.weights
    assert run.trainings == ["landmark-flow"] and plan("smoke", ['beside=""']).runs["08_generator"].trainings == []
    assert run.parameters["rendered"] == "data/smoke/rendered" and run.parameters["people"] == 2


def test_the_leaderboard_shares_the_trainings_of_the_other_notebooks():
    """One run of a name is one training, whoever asks for it; the lab's table is waited for."""
    part = plan("laptop")
    run = part.runs["09_recognition"]
    assert run.tables == ["generated", "rendered", "openpeople"] and run.parameters["lab"] == "data/laptop/rendered"
    assert run.trainings == ["landmark-label", "landmark-flow", "fesgan", "emotion-gan", "de-gan"]
    assert set(run.trainings) <= set(part.runs["02_training"].trainings)
    alone = plan("laptop", only=["09"])
    assert {name: job for name, job in part.trainings.items() if name in alone.trainings} == alone.trainings
    with pytest.raises(FersynError, match="there is no method 'e-gan'"):
        plan("laptop", ["systems=[e-gan]"])


def test_which_method_is_looked_at_closely():
    assert chosen(["c-gan", "warp", "c-gan"]) == ["c-gan", "warp"] and chosen(["c-gan"], "warp") == ["warp"]
    assert editor_of("c-gan", ["warp", "c-gan", "copy"]) == "c-gan"
    assert editor_of("", ["warp", "c-gan"]) == editor_of("landmark-flow", ["warp", "c-gan"]) == "c-gan"
    assert editor_of("warp", ["c-gan"], ["copy", "warp"]) == "warp"
    with pytest.raises(FersynError, match="editor: there is no method 'landmark-flwo'; there are: "):
        editor_of("landmark-flwo", ["c-gan"])
    with pytest.raises(FersynError, match="methods: there is no method 'e-gan'"):
        chosen(["c-gan", "e-gan"])
    assert editor_note("", "c-gan") == editor_note("c-gan", "c-gan") == ""
    assert "landmark-flow" in editor_note("landmark-flow", "c-gan")


def test_tables_runs_and_parameters():
    whole = plan("laptop")
    assert {"01_preprocessing-rendered", "01_preprocessing-openpeople"} <= set(whole.runs)
    run = whole.runs["01_preprocessing-rendered"]
    assert run.parameters["table"] == "data/laptop/rendered" and run.tables == ["rendered", "openpeople"]
    assert whole.tables["rendered"].command.startswith("rendered --subjects")
    part = plan("laptop", settings=["folds=7"], only=["openpeople"])
    assert list(part.runs) == ["01_preprocessing-openpeople"] and list(part.tables) == ["openpeople"]
    assert part.runs["01_preprocessing-openpeople"].parameters["folds"] == 7
    assert part.all_runs == whole.all_runs
    with pytest.raises(FersynError, match="no such notebook run"):
        plan("laptop", only=["99"])


def test_a_profile_without_tables_is_told_so(tmp_path, make_notebook):
    make_notebook("table = ''\nseed = 0", folder=tmp_path / "notebooks")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "mine.yaml").write_text("seed: 1\n")
    with pytest.raises(
        FersynError, match="profiles/mine.yaml names no tables, and every notebook needs one; add lines"
    ):
        plan("mine", folder=tmp_path)


@pytest.mark.parametrize("file", sorted((ROOT / "profiles").glob("*.yaml")), ids=lambda file: file.stem)
def test_methods_learn_from_generated_people(file):
    """Longer training on rendered faces made photographs worse; on generated ones it does not."""
    given = yaml.safe_load(file.read_text())
    assert given["tables"][Path(given["faces"]).name].split()[0] == "generated"


# ms a step of `paper` on an H100, before graphs
MEASURED = {"landmark-label": 58.0, "c-gan": 9.5, "landmark-flow": 69.1}


def test_the_profile_gpu_fits_its_hour_as_far_as_it_was_measured():
    """The published sizes, one seed, three folds; trainings take half an hour at most, one after the other."""
    found = plan("gpu")
    whole = 0.0
    for job in found.trainings.values():
        words = job.arguments.split()
        assert words[words.index("--profile") + 1] == "paper" and words[words.index("--seed") + 1] == "0"
        assert not {"size", "width", "batch"} & {word.partition("=")[0] for word in words}
        steps = [int(word.partition("=")[2]) for word in words if word.startswith("steps=")]
        if job.method in MEASURED:
            whole += steps[-1] * MEASURED[job.method] / 1000
    assert 10 * 60 < whole < 30 * 60
    folds = [name for name in found.trainings if name.startswith("augmentation/")]
    assert len(folds) == 3 and len(found.runs) >= 10
