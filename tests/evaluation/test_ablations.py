"""Variants as settings, their trainings, and what is made of their measurements."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from fersyn import methods, weights
from fersyn.errors import FersynError, SubjectLeak
from fersyn.evaluation import ablations, fid, image_metrics, protocol
from fersyn.evaluation.scores import differences, summarise
from fersyn.figures import Note, Picture, Table
from fersyn.figures import variants as figures
from fersyn.pixels import to_floats
from fersyn.reporting.plan import requests_of
from fersyn.training import requests, runs

CONFIG = methods.get(ablations.METHOD).Config


@pytest.fixture
def have(monkeypatch):
    """Which weights are on the machine: those given, and no other."""

    def only(*names):
        monkeypatch.setattr(weights, "find", lambda name: name if name in names else None)

    only("stlpips-vgg")
    return only


@pytest.mark.parametrize("profile", ablations.PROFILE_BLOCKS)
def test_what_full_is_stands_in_the_presets(profile, have):
    full = ablations.settings_of_full(profile)
    preset = CONFIG.preset(profile)
    assert (
        preset.with_settings([f"{name}={value}" for name, value in full.items() if name != "perceptual_network"])
        == preset
    )
    assert preset.perceptual_network == "auto" and full["perceptual_network"] == "vgg16"
    have("vgg19")
    assert ablations.settings_of_full(profile)["perceptual_network"] == "vgg19"


@pytest.mark.parametrize("name", [name for name in ablations.VARIANTS if name != "full"])
def test_a_variant_changes_one_setting(name):
    one, preset = ablations.variant(name), CONFIG.preset("smoke", perceptual_network="auto")
    changed = preset.with_settings(one.settings)
    assert sum(a != b for a, b in zip(preset.model_dump().values(), changed.model_dump().values(), strict=True)) == 1
    assert one.about and not one.name.startswith(".")


def test_table_7_and_the_issues_variants_are_there():
    assert ablations.variant("no-initialise").settings == ("initialise_networks=false",)
    assert ablations.variant("no-label").settings == ("label_maps=false",)
    assert {"heatmaps-68", "non-saturating", "least-squares", "hinge", "vgg16", "vgg19"} < set(ablations.VARIANTS)
    assert [
        CONFIG.preset("paper").with_settings(ablations.variant(f"blocks-{t}").settings).blocks for t in (0, 3, 6, 9)
    ] == [0, 3, 6, 9]
    assert ablations.variant("blocks-4").settings == ("blocks=4",)
    assert ablations.variant("dropout=0.3").settings == ("dropout=0.3",)
    for wrong in ("no-labels", "width=2/../x", "blocks-x"):
        with pytest.raises(FersynError, match="no-initialise"):
            ablations.variant(wrong)


def test_every_variant_and_seed_is_a_training(have):
    found = ablations.requests(["no-label", "no-label"], "smoke", 3, 2, ["steps=9", "c-gan.steps=1"], ["width=8"])
    assert list(found) == [("full", 3), ("full", 4), ("no-label", 3), ("no-label", 4)]
    assert found["full", 3].name == "ablations/full.seed3" and found["full", 3].settings == ("steps=9", "width=8")
    last = found["no-label", 4]
    assert (last.name, last.seed, last.method, last.profile) == (
        "ablations/no-label.seed4",
        4,
        "landmark-label",
        "smoke",
    )
    assert last.settings == ("steps=9", "width=8", "label_maps=false"), "the variant's own setting comes last"


def test_what_full_is_anyway_is_not_trained_twice(have):
    found = ablations.requests(["blocks-9", "blocks-3", "vgg16"], "paper", ablation_settings=["steps=9"])
    names = {name: request.name for (name, _), request in found.items()}
    assert names["blocks-9"] == names["vgg16"] == names["full"] == "ablations/full.seed0"
    assert names["blocks-3"] == "ablations/blocks-3.seed0"
    other = ablations.requests(["blocks-9", "blocks-3"], "paper", ablation_settings=["blocks=3"])
    assert (
        other["blocks-3", 0].name == "ablations/full.seed0" and other["blocks-9", 0].name == "ablations/blocks-9.seed0"
    )


def test_full_without_settings_of_its_own_is_the_run_of_notebook_02(have):
    own = requests.of_methods(["landmark-label"], ["steps=9"], "smoke", 1, 2)
    found = ablations.requests(["no-label"], "smoke", 1, 2, ["steps=9"])
    assert [found["full", 1], found["full", 2]] == list(own.values())
    assert found["no-label", 1].name == "ablations/no-label.seed1"


def test_without_weights_there_is_no_training_but_a_cure(have):
    assert list(ablations.requests(["vgg19"], "smoke")) == [("full", 0)]
    assert ablations.missing(ablations.variant("vgg19")) == "weights missing: fersyn weights fetch vgg19"
    have("vgg19")
    assert not ablations.missing(ablations.variant("vgg19"))
    assert ablations.missing(ablations.variant("vgg16"))
    assert (
        ablations.requests(["vgg19"], "smoke", ablation_settings=["steps=2"])["vgg19", 0].name == "ablations/full.seed0"
    )


def test_the_plan_asks_for_them_by_the_notebooks_parameters(have):
    values = {"variants": ["no-label"], "profile": "smoke", "seed": 0, "seeds": 2, "settings": [], "methods": ["copy"]}
    found = requests_of({**values, "ablation_settings": ["steps=2"], "faces": "x", "fid": True})
    assert {request.name for request in found.values()} == {
        "ablations/full.seed0", "ablations/full.seed1", "ablations/no-label.seed0", "ablations/no-label.seed1",
    }  # fmt: skip


def test_asking_loads_nothing_heavy():
    code = (
        "import sys; from fersyn.evaluation import ablations as a; a.requests(list(a.VARIANTS), 'laptop');"
        "print([name for name in ('torch', 'pandas', 'sklearn', 'cv2') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


@pytest.fixture(scope="module")
def trained(small_table, tmp_path_factory):
    """Four trainings of two steps each, and blocks-1, which is what full is in profile smoke."""
    asked = ablations.requests(
        ["no-label", "heatmaps-68", "blocks-0", "blocks-1"],
        "smoke",
        0,
        1,
        (),
        ["steps=2", "batch=2", "weight_perceptual=0"],
    )
    return requests.trained(asked, small_table, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def measured(trained, small_table):
    """(measured, truth), with coarse colours in place of the features of FID's network."""
    calls = []

    def features(faces):
        calls.append(len(faces))
        return torch.nn.functional.adaptive_avg_pool2d(faces, 4).flatten(1).double().numpy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fid, "available", lambda: True)
        patch.setattr(fid, "features", features)
        find = weights.find
        patch.setattr(weights, "find", lambda name: None if name == image_metrics.LPIPS else find(name))
        found = ablations.measure_runs(trained, small_table)
    assert len(calls) == 1 + 1 + 4, "the true faces, the untouched ones, and each run, once"
    return found


@pytest.fixture(scope="module")
def scores(measured):
    return summarise(measured[0].scores, resamples=ablations.RESAMPLES)


@pytest.fixture(scope="module")
def worth(measured):
    return differences(measured[0].scores, of=ablations.FULL, resamples=ablations.RESAMPLES)


def test_runs_are_measured_once_and_on_people_never_trained_on(trained, measured, small_table):
    found, true = measured
    assert list(found.pictures) == ["copy", "full", "no-label", "heatmaps-68", "blocks-0"] and ablations.twins(
        trained
    ) == ["blocks-1"]
    test = set(small_table.people[(small_table.rows["split"] == "test").to_numpy()])
    assert set(true.people) == test and not any(runs.trained_people(run) & test for run in trained.values())
    loaded = runs.load(trained["blocks-0", 0])
    assert loaded.config.blocks == 0
    made = protocol.edited_pairs(loaded, true.pairs, true.chosen)
    again = image_metrics.ssim(to_floats(made), to_floats(true.target))
    assert np.allclose(again, found.frame("blocks-0")["ssim"], atol=1e-6)


def test_people_who_were_trained_on_are_refused(trained, small_table):
    other = small_table.view(fold="1/2", seed=1)
    training = set().union(*(runs.trained_people(run) for run in trained.values()))
    assert training & set(other.people[(other.rows["split"] == "test").to_numpy()])
    with pytest.raises(SubjectLeak):
        ablations.measure_runs(trained, other, fid=False)


def test_runs_of_several_seeds_belong_to_one_variant():
    runs = {("full", 0): "a", ("full", 1): "b", ("x", 0): "c", ("x", 1): "d", ("twin", 0): "a", ("twin", 1): "b"}
    assert ablations.distinct(runs) == {"full": ["a", "b"], "x": ["c", "d"]}
    assert ablations.twins(runs) == ["twin"]


def test_worth_is_full_minus_variant(measured, scores, worth):
    value = {(row["method"], row["metric"]): row["value"] for row in scores.to_dict("records")}
    assert {"psnr", "ssim", "st_lpips", "fid", "kid"} == {name for _, name in value}
    for row in worth.to_dict("records"):
        wanted = value["full", row["metric"]] - value[row["minus"], row["metric"]]
        assert row["value"] == pytest.approx(wanted, abs=1e-9)
    assert set(worth["minus"]) == {"copy", "no-label", "heatmaps-68", "blocks-0"}


def test_tables_say_what_was_trained_and_what_was_not(trained, measured, scores, have):
    variants = ["no-label", "vgg19", "blocks-1", "blocks-0", "heatmaps-68"]
    page = figures.runs(variants, trained)._repr_html_()
    assert "2 steps of 2 pairs" in page and "it is what full is" in page and "fersyn weights fetch vgg19" in page
    table = figures.scores(scores, measured[1], variants, trained)
    rows = table.frame.set_index("variant")
    assert set(rows.loc["vgg19"]) == {"weights missing"} and set(rows.loc["blocks-1"]) == {"as full"}
    assert set(rows["LPIPS ↓"].drop(["blocks-1"])) == {"weights missing"}, "never another network's number"
    best = scores[scores["metric"] == "fid"].set_index("method")["value"].idxmin()
    assert (list(table.frame["variant"]).index(best), list(table.frame.columns).index("FID ↓")) in table.bold
    assert "one seed" in table.caption
    assert runs.facts(trained["no-label", 0])["config"]["label_maps"] is False


def test_the_published_table_stands_beside_ours(scores):
    assert "of the set ckplus" in figures.table7(scores, "generated").text
    table = figures.table7(scores, "ckplus")
    assert list(table.frame["FID, published"]) == ["67.69", "76.85", "69.48"]
    assert list(table.frame["more than all, published"]) == ["", "+9.16", "+1.79"] and "not comparable" in table.caption
    ours = scores[scores["metric"] == "fid"].set_index("method")["value"]
    assert list(table.frame["FID, ours"]) == [f"{ours['full']:.1f}", "–", f"{ours['no-label']:.1f}"]
    assert set(figures.table7(scores[scores["metric"] != "fid"], "ckplus").frame["FID, ours"]) == {"–"}


def test_figures_and_what_stands_in_their_place(trained, measured, scores, worth, have):
    for picture in (figures.differences(worth), figures.blocks(scores, trained)):
        assert isinstance(picture, Picture) and "SSIM" in picture.alt and "KID" not in picture.caption
    assert "T = 0" in figures.blocks(scores, trained).alt and "T = 1" in figures.blocks(scores, trained).alt
    assert isinstance(figures.worth(worth), Table)
    assert isinstance(figures.differences(worth[:0]), Note) and isinstance(figures.worth(worth[:0]), Note)
    assert isinstance(figures.blocks(scores[scores["method"] == "no-label"], trained), Note)
    note = figures.settings_note(scores, measured[1]).text
    assert "One seed" in note and "fersyn weights fetch" in note and figures.perceptual(trained).text
    several = figures.settings_note(scores.assign(seeds=3), measured[1]).text
    assert "One seed" not in several


def test_sure_and_unsure_differences_have_other_colours():
    from fersyn.figures import charts

    rows = [(0.2, 0.1, 0.3), (-0.2, -0.3, -0.1), (0.2, -0.1, 0.3)]
    for name, wanted in (
        ("ssim", [charts.GREEN, charts.RED, charts.SOFT]),
        ("fid", [charts.RED, charts.GREEN, charts.SOFT]),
    ):
        own = [{"metric": name, "value": v, "low": low, "high": high, "people": 6} for v, low, high in rows]
        assert [figures._shade(row, None) for row in own] == wanted


def test_deviations_over_seeds_are_printed(measured, scores, trained):
    several = scores.assign(seeds=3, deviation=0.5)
    table = figures.scores(several, measured[1], ["no-label"], trained)
    assert "3 seeds" in table.caption and table.frame["SSIM ↑"].str.contains("±\u00a00.500").all()
    assert table.frame["KID × 10³ ↓"].str.contains("±\u00a0500.0").all()
