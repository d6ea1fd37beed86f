"""Who wins between discriminator and generator, read off a log."""

import pytest

from fersyn.training import contest


def log(path, rows, head="step,generator,image_discriminator,image_accuracy,pixel"):
    path.write_text(
        "\n".join([head, *(",".join(map(str, (step, 1.0, *row, 0.1))) for step, row in enumerate(rows))]) + "\n"
    )
    return path


@pytest.mark.parametrize(
    ("last", "state"),
    [
        ((0.02, 0.995), contest.WON), ((0.69, 0.5), contest.ASLEEP), ((0.6, 0.7), ""), ((0.3, 0.99), ""),
        ((0.69, 0.52), ""), ((0.02, 0.9), ""),
    ],
)  # fmt: skip
def test_the_last_tenth_says_it(tmp_path, last, state):
    found = contest.verdicts(log(tmp_path / "log.csv", [(0.7, 0.6)] * 90 + [last] * 10))
    assert list(found) == ["image_discriminator"]
    own = found["image_discriminator"]
    assert own["state"] == state and (own["loss"], own["accuracy"]) == pytest.approx(last)


def test_one_row_at_a_half_is_no_sleep(tmp_path):
    assert (
        contest.verdicts(log(tmp_path / "log.csv", [(0.7, 0.4), (0.7, 0.6)] * 20))["image_discriminator"]["state"] == ""
    )


def test_without_a_discriminator_or_a_log_there_is_nothing(tmp_path):
    assert contest.verdicts(tmp_path / "log.csv") == {}
    (tmp_path / "log.csv").write_text("step,pixel\n1,0.5\n")
    assert contest.verdicts(tmp_path / "log.csv") == {}
    (tmp_path / "log.csv").write_text("step,discriminator,accuracy\n")
    assert contest.verdicts(tmp_path / "log.csv") == {}
    (tmp_path / "log.csv").write_text("step,discriminator,accuracy\n1,,\n2,0.01,1\n")
    assert contest.verdicts(tmp_path / "log.csv")["discriminator"]["state"] == contest.WON
