import pytest

import fersyn.methods as methods
from fersyn.errors import FersynError
from fersyn.methods.base import MethodConfig
from fersyn.training.runs import load


@pytest.mark.parametrize(
    "values, message",
    [
        ({"stps": 3}, "stps is no setting of it; settings are: augment, averaged, batch"),
        ({"batch": 0}, r"batch is 0: it should be greater than or equal to 1 \(range: >= 1"),
        ({"ema": 1.0}, r"ema is 1.0: .*range: >= 0 and < 1"),
        ({"lr": float("nan")}, "lr is nan: it should be a finite number"),
        ({"betas": (0.5, 1.5)}, "betas.1 is 1.5: it should be less than 1"),
    ],
)
def test_settings_are_refused_by_name_and_range(values, message):
    with pytest.raises(FersynError, match=message):
        MethodConfig(**values)
    with pytest.raises(FersynError, match=message):
        MethodConfig().replace(**values)


def test_settings_of_the_command_line():
    config = MethodConfig().with_settings(["lr=2e-3", "betas=[0.1, 0.2]", "averaged=[a]"])
    assert (config.lr, config.betas, config.averaged) == (2e-3, (0.1, 0.2), ("a",))
    for wrong in ("lr", "=3", "betas=[1"):
        with pytest.raises(FersynError, match="--set"):
            MethodConfig().with_settings([wrong])


def test_json_and_back():
    config = MethodConfig(betas=(0.1, 0.2), size=64)
    assert MethodConfig(**config.model_dump(mode="json")) == config


def test_rate():
    config = MethodConfig(steps=10, decay_share=0.5)
    assert [config.lr_factor(step) for step in range(10)] == pytest.approx([1] * 6 + [0.8, 0.6, 0.4, 0.2])
    assert MethodConfig(steps=10, decay_share=0).lr_factor(9) == 1


def test_profiles_and_names():
    assert MethodConfig.preset("laptop", size=32).size == 32
    with pytest.raises(FersynError, match="no profile 'huge'; use one of: smoke, laptop, paper"):
        MethodConfig.preset("huge")
    with pytest.raises(FersynError, match="no method 'gan'; use one of: c-gan, copy"):
        methods.get("gan")


def test_load_of_a_folder_without_a_run(tmp_path):
    with pytest.raises(FersynError, match="holds no run"):
        load(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(FersynError, match=r"config.json cannot be read"):
        load(tmp_path)
