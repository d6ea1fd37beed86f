import pytest
import torch

from fersyn.errors import FersynError
from fersyn.nets.mini_xception import MiniXception


def keras(network):
    """The network's weights under Keras' names and axes."""
    state, own = {}, network.state_dict()
    for layer, place in network._layers().items():
        if layer.startswith("separable"):
            state[f"{layer}.depthwise_kernel"] = own[f"{place}.0.weight"].permute(2, 3, 0, 1)
            state[f"{layer}.pointwise_kernel"] = own[f"{place}.1.weight"].permute(2, 3, 1, 0)
        elif layer.startswith("batch"):
            parts = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
            state |= {f"{layer}.{part}": own[f"{place}.{name}"] for part, name in parts.items()}
        else:
            state[f"{layer}.kernel"] = own[f"{place}.weight"].permute(2, 3, 1, 0)
    return state | {"conv2d_7.bias": own["last.bias"]}


@pytest.fixture
def trained():
    torch.manual_seed(0)
    network = MiniXception()
    for value in network.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) - 0.3 * (value.dim() > 1))
    return network.eval()


def test_shape_size_and_gradient():
    network = MiniXception().eval()
    faces = torch.zeros(2, 1, 64, 64, requires_grad=True)
    logits = network(faces)
    logits[:, 0].sum().backward()
    assert logits.shape == (2, 7) and torch.isfinite(faces.grad).all()
    assert sum(p.numel() for p in network.parameters()) == 56_951


def test_keras_weights_and_back(trained):
    network, faces = MiniXception().load_keras(keras(trained)), torch.rand(3, 1, 64, 64)
    torch.testing.assert_close(network(faces), trained(faces))
    assert not network.training and not any(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("change", [
    lambda state: state.pop("conv2d_3.kernel"),
    lambda state: state.update({"conv2d_3.kernel": torch.zeros(1, 1, 8, 9)}),
    lambda state: state.update({"conv2d_3.bias": torch.zeros(16)}),
    lambda state: state.update({"conv2d_3.alpha": torch.zeros(16)}),
])  # fmt: skip
def test_another_networks_weights_are_refused(trained, change):
    state = keras(trained)
    change(state)
    with pytest.raises(FersynError, match="not the weights of mini-XCEPTION"):
        MiniXception().load_keras(state)
