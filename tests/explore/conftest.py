"""A folder of untrained runs, and a panel on the small table."""

import pytest
import torch
from bench_explore import still_motion

from fersyn import methods
from fersyn.training import checkpoint
from fersyn.training.runs import write_config, write_people


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Run folders as a training leaves them, one step into it: landmark-flow, and c-gan, which sees no landmarks."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("landmark-flow", "c-gan"):
        method, run = methods.get(name), folder / name
        config = method.preset("smoke", size=32)
        run.mkdir()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            networks = method.networks(config)
            for weight in networks["generator"].parameters():  # an untrained one would not look at the label
                weight.data += 0.02 * torch.randn(weight.shape)
        write_config(run, method, config, 0)
        write_people(run, [])
        states = {name: network.state_dict() for name, network in networks.items()}
        state = {
            "method": name, "config": config.model_dump(mode="json"), "table": "none", "seed": 0, "step": 1,
            "networks": states, "averages": {}, "optimisers": {},
        }  # fmt: skip
        checkpoint.save(run, state)
        still_motion().save(run / "motion.npz")
    return folder


@pytest.fixture
def panel(small_table, runs, tmp_path):
    """An Explorer without recogniser that saves below tmp_path."""
    from fersyn.explore import Explorer

    made = Explorer([small_table.path], runs, judge_epochs=0, saved=tmp_path / "saved")
    assert made.wait()
    yield made
    made.close()
