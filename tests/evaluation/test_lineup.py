"""Table 6: who stands in the gallery, what the probes are, and that rates and intervals are those of a plain count."""

import copy

import numpy as np
import pytest

from fersyn.errors import FersynError, NoFace, SubjectLeak
from fersyn.evaluation import lineup, verification
from fersyn.evaluation.scores import differences, summarise
from fersyn.evaluation.verification import RATES, Faces, Trial
from fersyn.methods.copy import CopySource


def with_rows(table, **columns):
    found = copy.copy(table)
    found.rows = table.rows.assign(**columns)
    return found


@pytest.fixture
def sequences(small_table):
    """The small table (seven faces a person) as three sequences a person, each with a neutral face; person 4 is held
    out.
    """
    per_person = len(small_table) // 4
    assert per_person == 7
    kinds = [("a", "neutral"), ("a", "anger"), ("a", "anger")]
    kinds += [("b", "neutral"), ("b", "fear"), ("c", "neutral"), ("c", "anger")]
    people = small_table.people
    return with_rows(
        small_table,
        sequence=[kinds[i % 7][0] for i in range(len(small_table))],
        expression=[kinds[i % 7][1] for i in range(len(small_table))],
        intensity=[0.0, 0.4, 0.9, 0.0, 1.0, 0.0, 1.0] * 4,
        split=np.where(people == sorted(set(people))[3], "test", "train"),
    )


def test_gallery_holds_everybody_and_probes_the_hold_out(sequences):
    line = lineup.line_up(sequences)
    held_out = sorted(set(sequences.people))[3]
    assert sorted(line.gallery_people) == sorted(set(sequences.people)) and set(line.people) == {held_out}
    assert set(sequences.rows["expression"].iloc[line.gallery]) == {"neutral"}
    assert len(set(sequences.rows["sequence"].iloc[line.gallery])) == 3, "people take turns with the sequences"
    assert line.impostors == len(line.chosen) * 3


def test_no_probe_comes_from_the_gallerys_sequence(sequences):
    line = lineup.line_up(sequences, everybody=True)
    rows, home = sequences.rows, dict(zip(line.gallery_people, line.gallery, strict=True))
    for (source, target), person in zip(line.chosen, line.people, strict=True):
        assert rows["sequence"].iloc[source] == rows["sequence"].iloc[target] != rows["sequence"].iloc[home[person]]
        assert rows["expression"].iloc[source] == "neutral" != rows["expression"].iloc[target]
    assert line.same_picture == line.same_sequence == 0
    counts = {person: int((line.people == person).sum()) for person in set(line.people)}
    assert set(counts.values()) == {2}, "one probe of each of the two other sequences"


def test_the_strongest_pictures_are_the_probes(sequences):
    of_a = lambda line: [t for _, t in line.chosen if sequences.rows["sequence"].iloc[t] == "a"]  # noqa: E731
    one, two = lineup.line_up(sequences, 1, everybody=True), lineup.line_up(sequences, 2, everybody=True)
    assert set(sequences.rows["intensity"].iloc[of_a(one)]) == {0.9}
    assert set(sequences.rows["intensity"].iloc[of_a(two)]) == {0.4, 0.9}
    with pytest.raises(FersynError, match="probe_frames is 0"):
        lineup.line_up(sequences, 0)


def test_people_with_one_neutral_picture_are_counted(small_table):
    line = lineup.line_up(small_table, everybody=True)
    assert line.same_picture == 4 and len(line.chosen) == 24


def test_one_sequence_with_two_neutral_pictures(small_table):
    expression = small_table.rows["expression"].to_numpy(object).copy()
    expression[1::7] = "neutral"
    line = lineup.line_up(with_rows(small_table, expression=expression), everybody=True)
    assert (line.same_picture, line.same_sequence) == (0, 4)
    assert not set(line.gallery) & set(line.chosen[:, 0])


def test_a_verifiers_own_people_leave_the_gallery_and_must_not_be_probed(sequences):
    everyone = sorted(set(sequences.people))
    line = lineup.line_up(sequences, without={everyone[0]})
    assert everyone[0] not in line.gallery_people and len(line.gallery) == 3 and line.left_out == 1
    with pytest.raises(SubjectLeak, match=f"trained on 1 of the people it is to tell apart: {everyone[3]}"):
        lineup.line_up(sequences, without={everyone[3]})
    with pytest.raises(FersynError, match="a gallery of one person"):
        lineup.line_up(sequences, without=set(everyone[:3]))
    with pytest.raises(FersynError, match="nobody is held out"):
        lineup.line_up(with_rows(sequences, split="train"))


def test_the_gallerys_picture_is_nobodys_target(small_table):
    """People without a neutral face: any of their expressions may be source or target, and one stands in the gallery."""
    kinds = ("happiness", "surprise")
    rows = np.flatnonzero(small_table.rows["expression"].isin(kinds).to_numpy())
    table = copy.copy(small_table)
    table.rows = small_table.rows.iloc[rows].reset_index(drop=True)
    line = lineup.line_up(table, everybody=True)
    assert len(line.chosen) == 4 and not set(line.gallery) & set(line.chosen[:, 1])
    assert line.same_picture == 4, "two pictures each: one is the gallery's and the source, the other the target"


class ByMeanColour:
    """A verifier that sees the mean colour alone."""

    name, title, score, weights, how = "colour", "mean colour", "euclidean", "", "nothing"

    def __init__(self, there=True):
        self.there = there

    def available(self):
        return self.there

    def embed(self, images, landmarks):
        assert landmarks.shape == (len(images), 68, 2) and images.dtype == np.uint8
        return images.reshape(len(images), -1, 3).mean(1).astype(np.float32)


def test_every_probe_is_compared_with_every_gallery_face(sequences):
    line = lineup.line_up(sequences)
    gallery = lineup.gallery_of(line)
    probes = lineup.probes_of(line, {"copy": CopySource(sequences.size)})
    assert list(probes) == ["untouched", "copy"]
    assert np.array_equal(probes["untouched"].images, sequences.images(line.chosen[:, 1]))
    assert np.array_equal(probes["copy"].images, sequences.images(line.chosen[:, 0])), "bytes come back unchanged"
    verifier = ByMeanColour()
    found = lineup.trials(line, {"colour": verifier, "gone": ByMeanColour(False)}, gallery, probes)
    assert list(found) == ["colour"]
    mean = lambda index: sequences.images(index).reshape(len(index), -1, 3).mean(1)  # noqa: E731
    expected = np.linalg.norm(mean(line.chosen[:, 0])[:, None] - mean(line.gallery)[None], axis=2)
    assert found["colour"]["copy"].apart == pytest.approx(expected, abs=0.05)
    with pytest.raises(FersynError, match="no verifier to tell people apart with. mean colour: nothing"):
        lineup.trials(line, {"gone": ByMeanColour(False)}, gallery, probes)


def drawn(seed, people=8, each=20, gallery=60):
    random = np.random.default_rng(seed)
    names = np.array([f"d/{i}" for i in range(gallery)])
    probe = np.repeat(names[:people], each)
    apart = random.normal(1, 0.15, (len(probe), gallery)).round(2)  # ties
    apart[probe[:, None] == names[None]] -= 0.4
    return Trial(apart, probe, names)


BY = ("table", "verifier", "method")


def rates(rows):
    """The rates of some trials by a verifier called 'mean colour'."""
    probes = len(next(iter(rows.values())).probe)
    found = verification.scores(rows, ByMeanColour(), "t", range(probes), ["anger"] * probes)
    assert len(found.rows) == 2 * probes * len(rows) and set(found.rows["verifier"]) == {"mean colour"}
    return found.of(metric=list(RATES))


def brute(trial, far, rows):
    """Every threshold tried on every pair, one by one."""
    genuine, impostor = [], []
    for r in rows:
        for g, person in enumerate(trial.gallery):
            (genuine if person == trial.probe[r] else impostor).append(trial.apart[r, g])
    genuine, impostor = np.array(genuine), np.array(impostor)
    rates = [(genuine <= t).mean() for t in np.unique(trial.apart) if (impostor <= t).mean() <= far]
    return max(rates, default=0.0)


def test_rates_of_the_table_are_those_of_a_brute_force_count():
    trial = drawn(0)
    named = [trial.gallery[min(range(60), key=lambda g: trial.apart[p, g])] for p in range(len(trial.probe))]
    assert trial.rate("rank1") == pytest.approx(np.mean([a == b for a, b in zip(named, trial.probe, strict=True)]))
    assert 0.2 < trial.rate("tar_0.01") < 1
    part = np.random.default_rng(1).integers(len(trial.probe), size=50)  # as a resample: some twice, some never
    for rows in (np.arange(len(trial.probe)), part):
        for name, far in (("tar_0.01", 0.01), ("tar_0.001", 0.001)):
            assert trial.rate(name, rows) == pytest.approx(brute(trial, far, rows))


def test_summary_averages_seeds_and_says_where_pairs_are_too_few():
    one, two = drawn(0), drawn(1)
    frame = summarise(rates({"flow": one, "flow.seed1": two, "c-gan": drawn(2)}), BY, 100)
    rows = frame.set_index(["method", "metric"])
    flow = rows.loc[("flow", "rank1")]
    assert flow.seeds == 2 and flow.value == pytest.approx((one.rank1() + two.rank1()) / 2)
    assert flow.deviation == pytest.approx(np.std([one.rank1(), two.rank1()], ddof=1))
    assert flow.low <= flow.value <= flow.high and flow.people == 8 and len(one.impostor) == 160 * 59
    assert ("flow", "tar_0.01") in rows.index and ("flow", "tar_0.001") not in rows.index, "9440 pairs"
    assert np.isnan(rows.loc[("c-gan", "rank1")].deviation)


def test_a_paired_difference_is_narrower_than_the_two_intervals():
    """Method b is wrong on one probe of each person more than a: people differ much, the difference does not."""
    names = np.array([f"d/{i}" for i in range(10)])
    probe = np.repeat(names, 10)
    right = np.concatenate(
        [np.arange(10) < 2 + i // 2 for i in range(10)]
    )  # 20 % of the first person's, 60 % of the last

    def trial(correct):
        apart = np.ones((100, 10))
        own = (probe[:, None] == names[None]).argmax(1)
        apart[np.arange(100), np.where(correct, own, (own + 1) % 10)] = 0
        return Trial(apart, probe, names)

    worse = right & (np.tile(np.arange(10), 10) > 0)
    both = rates({"a": trial(right), "b": trial(worse)})
    gain = differences(both, minus="b", by=BY, resamples=200).query("metric == 'rank1'").iloc[0]
    assert gain.value == pytest.approx(0.1) and gain.low == pytest.approx(0.1) and gain.high == pytest.approx(0.1)
    wide = summarise(both, BY, 200).iloc[0]
    assert wide.high - wide.low > 0.1


def test_a_run_of_another_seed_belongs_to_its_method():
    assert verification.method_of("landmark-flow.seed2") == "landmark-flow"
    assert verification.method_of("copy") == "copy" and verification.method_of("my.seedling") == "my.seedling"


def test_a_trial_refuses_strangers():
    with pytest.raises(FersynError, match="no gallery picture of eve"):
        Trial(np.zeros((1, 1)), np.array(["eve"]), np.array(["ann"]))


class Plain:
    """Describes a face by its mean colour; like LightCNN it cannot cut out one whose mouth is not below its eyes."""

    name, title, score, weights, how = "plain", "Plain", "euclidean", "", ""

    def __init__(self):
        self.given = []

    def available(self):
        return True

    def embed(self, images, landmarks):
        self.given.append(len(images))
        for points in landmarks:
            if points[48:, 1].mean() <= points[36:48, 1].mean():
                raise NoFace("the landmarks do not form a face: no crop can be cut for the verifier")
        return images.reshape(len(images), -1, 3).mean(1).astype(np.float32)


def ruined(probes, table):
    """The probes, the first with landmarks in one point (nothing can be aligned), the second upside down."""
    points = probes.landmarks.copy()
    points[0] = 40.0
    points[1] = table.size - points[1]
    return Faces(probes.images, points)


def test_a_probe_without_a_face_is_not_recognised_and_stops_nothing(sequences):
    line, verifier = lineup.line_up(sequences, everybody=True), Plain()
    gallery = Faces(sequences.images(line.gallery), sequences.landmarks(line.gallery))
    whole = Faces(sequences.images(line.chosen[:, 1]), sequences.landmarks(line.chosen[:, 1]))
    part = ruined(whole, sequences)
    none = Faces(whole.images, np.full_like(whole.landmarks, 40.0))
    rows = lineup.trials(line, {"plain": verifier}, gallery, {"untouched": whole, "bad": part, "none": none})["plain"]
    bad, good = rows["bad"], rows["untouched"]
    assert good.seen.all() and (~bad.seen).nonzero()[0].tolist() == [0, 1]
    assert np.isinf(bad.apart[:2]).all() and np.allclose(bad.apart[2:], good.apart[2:], atol=1e-4)
    assert bad.named[:2].tolist() == ["", ""] and (bad.named[2:] == good.named[2:]).all()
    assert bad.rank1() == pytest.approx(
        good.rank1(np.arange(2, len(line.chosen))) * (len(line.chosen) - 2) / len(line.chosen)
    )
    assert bad.tar(0.1) <= good.tar(1.0) * (len(line.chosen) - 2) / len(line.chosen)
    assert not rows["none"].seen.any() and rows["none"].rank1() == rows["none"].tar(0.1) == 0
    assert lineup.unseen(rows) == {"bad": 2, "none": len(line.chosen)}
    assert verifier.given[0] == len(gallery.images) and verifier.given[1] == len(whole.images), (
        "one call where it can be"
    )


def test_the_papers_verifiers_cannot_cut_out_every_face(small_table):
    """What `trials` has to live with: VGG-Face's alignment and LightCNN's crop name the fault alike."""
    from fersyn.faces import align
    from fersyn.faces.crop import arcface_crop, light_cnn_crop

    image, nowhere = small_table.images([0])[0], np.full((68, 2), 40.0, np.float32)
    for cut in (arcface_crop, light_cnn_crop):
        with pytest.raises(NoFace, match="do not form a face"):
            cut(image, nowhere)
    with pytest.raises(NoFace, match="do not form a face"):
        align.fit(nowhere)


def test_of_photographs_everybody_is_a_probe_or_there_is_no_line_up(small_table):
    line = lineup.everybody(small_table)
    assert set(line.people) == set(small_table.people) and lineup.everybody(None) is None
    calm = with_rows(small_table, expression=["neutral"] * len(small_table))
    assert lineup.everybody(calm) is None
    with pytest.raises(SubjectLeak):
        lineup.everybody(small_table, without=small_table.people[:1])
