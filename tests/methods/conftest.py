import pytest
import torch

from fersyn.training import loop
from tests.training.test_resume import assert_same


@pytest.fixture
def resumed(tmp_path):
    """A function that trains a method once without a stop and once for each number of steps in `stops`, stopped there and
    resumed: all weights are alike, bit for bit. Returns the run that was never stopped.
    """

    def train(method, config, table, stops):
        whole = loop.train(method, config, table, tmp_path / "whole")
        for stop in stops:
            out, inner, taken = tmp_path / f"stopped{stop}", loop.Training.take, []

            def take(self, batch, stop=stop, inner=inner, taken=taken):
                if len(taken) == stop:
                    raise KeyboardInterrupt
                taken.append(1)
                return inner(self, batch)

            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(loop.Training, "take", take)
                with pytest.raises(KeyboardInterrupt):
                    loop.train(method, config, table, out, checkpoint_every=1)
            loop.train(method, config, table, out, resume=True)
            states = [torch.load(run / "checkpoint.pt", weights_only=True) for run in (whole, out)]
            for kind in ("networks", "averages", "optimisers"):
                assert_same(states[0][kind], states[1][kind])
        return whole

    return train
