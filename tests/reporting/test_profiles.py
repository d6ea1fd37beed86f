import pytest
import yaml

from fersyn.errors import FersynError
from fersyn.reporting import profiles, project
from fersyn.reporting.plan import notebooks, plan


def write(tmp_path, text):
    (tmp_path / "profiles").mkdir(exist_ok=True)
    (tmp_path / "profiles" / "mine.yaml").write_text(text)
    return tmp_path


def test_load(tmp_path):
    folder = write(tmp_path, "seed: 3\nfolds: 2\ntables:\n  a: folder 'my photos' --publishable\n")
    profile = profiles.load("mine", {"folds": 5}, folder)
    assert profile.parameters == {"seed": 3, "folds": 5}
    assert profile.tables == {"a": ["folder", "my photos", "--publishable"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b\n", "parameter: value"),
        ("a: {b: 1}\n", "`a` is a mapping"),
        ("tables: rendered\n", "maps names to arguments"),
        ("tables: {a: 3}\n", "maps names to arguments"),
        ("a: [1\n", "no YAML"),
    ],
)
def test_wrong_profiles_are_refused(tmp_path, text, message):
    with pytest.raises(FersynError, match=message):
        profiles.load("mine", folder=write(tmp_path, text))


def test_unknown_profile_names_those_there_are(tmp_path):
    with pytest.raises(FersynError, match="there are: mine"):
        profiles.load("yours", folder=write(tmp_path, "a: 1\n"))


def test_declared_and_taken(make_notebook):
    book = make_notebook("# comment\nseed = 0\nrate: float = 1e-3\nmethods = ['a', 'b']\n", "x = 1")
    assert profiles.declared(book) == {"seed": 0, "rate": 1e-3, "methods": ["a", "b"]}
    assert profiles.taken(book, {"seed": 4, "unknown": 1}) == {"seed": 4}


def test_parameters_must_be_plain(make_notebook):
    with pytest.raises(FersynError, match="`path` is not a plain value"):
        profiles.declared(make_notebook("path = open('x')"))
    with pytest.raises(FersynError, match="more than"):
        profiles.declared(make_notebook("import os\nseed = 0"))


def test_settings(make_notebook):
    book = make_notebook("folds = 3\nprivate = False\nmethods = []")
    found = profiles.parse_settings(["folds=5", "private=true", "methods=[a, b]"], [book])
    assert found == {"folds": 5, "private": True, "methods": ["a", "b"]}
    with pytest.raises(FersynError, match="no notebook has a parameter `fold`; there are: folds"):
        profiles.parse_settings(["fold=5"], [book])
    with pytest.raises(FersynError, match="expected name=value"):
        profiles.parse_settings(["folds"], [book])


def test_the_projects_profiles_are_flat_and_fit_the_notebooks():
    folder = project.root()
    known = {name for book in notebooks(folder) for name in profiles.declared(book)}
    assert profiles.names(folder) == ["laptop", "paper", "smoke"]
    for name in profiles.names(folder):
        profile = profiles.load(name, folder=folder)
        assert set(profile.parameters) <= known, "a parameter that no notebook declares"
        assert profile.tables
        content = yaml.safe_load((folder / "profiles" / f"{name}.yaml").read_text())
        content.pop("tables")
        assert all(isinstance(value, (int, float, str, bool, list)) for value in content.values())


def test_plan():
    whole = plan("laptop")
    assert {"01_preprocessing-rendered", "01_preprocessing-openpeople"} <= set(whole.runs)
    run = whole.runs["01_preprocessing-rendered"]
    assert run.parameters["table"] == "data/laptop/rendered" and run.tables == ["rendered"]
    assert whole.tables["rendered"].command.startswith("rendered --subjects")
    part = plan("laptop", settings=["folds=7"], only=["openpeople"])
    assert list(part.runs) == ["01_preprocessing-openpeople"] and list(part.tables) == ["openpeople"]
    assert part.runs["01_preprocessing-openpeople"].parameters["folds"] == 7
    assert part.all_runs == whole.all_runs
    with pytest.raises(FersynError, match="no such notebook run"):
        plan("laptop", only=["99"])


def test_a_profile_without_tables_is_told_so(tmp_path, make_notebook):
    make_notebook("table = ''\nseed = 0", folder=tmp_path / "notebooks")
    with pytest.raises(
        FersynError, match="profiles/mine.yaml names no tables, and every notebook needs one; add lines"
    ):
        plan("mine", folder=write(tmp_path, "seed: 1\n"))


def test_a_tables_key_changes_with_the_packages_that_make_it(monkeypatch):
    from fersyn.reporting import plan as planning

    before = planning.table_job(["openpeople"]).key
    assert planning.table_job(["openpeople"]).key == before
    real = planning.provenance.versions
    monkeypatch.setattr(planning.provenance, "versions", lambda packages: {**real(packages), "dlib-bin": "0.0"})
    assert planning.table_job(["openpeople"]).key != before


def test_a_tables_key_changes_with_its_arguments(tmp_path):
    from fersyn.reporting.plan import table_job

    assert table_job(["folder", "a"]).key != table_job(["folder", "b"]).key
    (tmp_path / "x.jpg").write_bytes(b"1")
    before = table_job(["folder", str(tmp_path)])
    (tmp_path / "y.jpg").write_bytes(b"1")
    after = table_job(["folder", str(tmp_path)])
    assert before.key == after.key and before.sources != after.sources
