import os
import pickle
import warnings
from unittest.mock import patch

import numpy as np
import pytest
import torch

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.system import cache_dir
from fersyn.weights import readers
from fersyn.weights.places import home

CACHE = str(cache_dir())  # the user's, read before the fixture puts an empty one in its place


def real(name, monkeypatch):
    """The real weights, where they are on this machine."""
    with monkeypatch.context() as patch:
        patch.setenv("FERSYN_CACHE", CACHE)
        patch.setattr("torch.hub.get_dir", HUB)
        if weights.find(name) is None:
            pytest.skip(f"weights missing: fersyn weights fetch {name}")
        return weights.find(name), weights.state_dict(name)


HUB = torch.hub.get_dir


def fid_network():
    """pytorch-fid's network, without its download."""
    import pytorch_fid.inception as module

    with (
        patch.object(module, "load_state_dict_from_url", lambda *a, **k: {}),
        patch.object(torch.nn.Module, "load_state_dict", lambda *a, **k: None),
    ):
        return module.fid_inception_v3()


def test_every_layer_of_the_fid_network_gets_its_own_name():
    chain = {
        "A": ["conv", "tower.conv", "tower.conv_1", "tower_1.conv", "tower_1.conv_1", "tower_1.conv_2", "tower_2.conv"],
        "B": ["conv", "tower.conv", "tower.conv_1", "tower.conv_2"],
        "C": ["conv", "tower.conv", "tower.conv_1", "tower.conv_2", "tower_1.conv", "tower_1.conv_1",
              "tower_1.conv_2", "tower_1.conv_3", "tower_1.conv_4", "tower_2.conv"],
        "D": ["tower.conv", "tower.conv_1", "tower_1.conv", "tower_1.conv_1", "tower_1.conv_2", "tower_1.conv_3"],
        "E": ["conv", "tower_conv", "tower_mixed_conv", "tower_mixed_conv_1", "tower_1_conv", "tower_1_conv_1",
              "tower_1_mixed_conv", "tower_1_mixed_conv_1", "tower_2_conv"],
    }  # fmt: skip
    layers = ["conv"] + [f"conv_{i}" for i in range(1, 5)]
    for number, kind in enumerate("AAABCCCCDEE"):
        layers += [f"mixed{f'_{number}' if number else ''}.{inner}" for inner in chain[kind]]
    state = {
        f"net.layers.{layer}.{part}": torch.full((1,), float(i))
        for i, layer in enumerate(layers)
        for part in ("weight", "beta", "mean", "var")
    }
    found = readers.renamed(state)
    with torch.device("meta"):  # names alone
        network = fid_network()
    wanted = [k for k in network.state_dict() if not k.startswith("fc.") and "batches" not in k]
    assert sorted(found) == sorted(wanted)
    assert all(v == 1 for k, v in found.items() if k.endswith("bn.weight"))
    assert found["Mixed_7c.branch3x3dbl_3b.bn.bias"] == layers.index("mixed_10.tower_1_mixed_conv_1")
    with pytest.raises(KeyError):
        readers.renamed({"net.layers.mixed_3.tower_9.conv.weight": torch.ones(1)})


def test_the_fid_network_computes_what_the_torchscript_file_does(monkeypatch):
    path, state = real("fid-inception", monkeypatch)
    if path.suffix != ".pt":
        pytest.skip("the official file is there, not the TorchScript one")
    import pytorch_fid.inception as module

    network = fid_network()
    lost = network.load_state_dict(state, strict=False)
    assert not lost.unexpected_keys and all(k.startswith("fc.") or "batches" in k for k in lost.missing_keys)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script = torch.jit.load(str(path)).eval()
    faces = torch.rand(1, 3, 299, 299, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with patch.object(module, "fid_inception_v3", lambda: network), torch.no_grad():
        own = module.InceptionV3([3], resize_input=False, normalize_input=False).eval()
        torch.testing.assert_close(own(faces)[0].flatten(), script.net.layers(faces).flatten(), atol=1e-5, rtol=1e-4)


def test_the_official_file_gives_the_same_layout(register, monkeypatch):
    """Without fc and counters; here a file of our own stands for it."""
    state = {
        "Conv2d_1a_3x3.conv.weight": torch.zeros(1),
        "fc.weight": torch.zeros(1),
        "a.num_batches_tracked": torch.zeros(1),
    }
    item = weights.entry("fid-inception")
    home(item.forms[0]).parent.mkdir(parents=True)
    torch.save(state, home(item.forms[0]))
    own = register(name="own", **described(home(item.forms[0])))
    monkeypatch.setitem(weights.ENTRIES, "fid-inception", own)
    assert list(weights.state_dict("fid-inception")) == ["Conv2d_1a_3x3.conv.weight"]


@pytest.mark.parametrize(
    ("name", "net", "first"), [("lpips-alex", "alex", (64, 3, 11, 11)), ("lpips-vgg", "vgg", (64, 3, 3, 3))]
)
def test_lpips_with_these_weights_is_a_distance(name, net, first, monkeypatch):
    _, state = real(name, monkeypatch)
    assert state["features.0.weight"].shape == first
    lpips = pytest.importorskip("lpips")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = lpips.LPIPS(net=net, pnet_rand=True, verbose=False).eval()
    layers = {f"features.{k}": m for i in range(5) for k, m in getattr(network.net, f"slice{i + 1}").named_children()}
    with torch.no_grad():
        for key, value in state.items():
            layer, _, part = key.rpartition(".")
            assert getattr(layers[layer], part).shape == value.shape
            getattr(layers[layer], part).copy_(value)
        generator = torch.Generator().manual_seed(0)
        face = torch.nn.functional.interpolate(
            torch.rand(1, 3, 8, 8, generator=generator) * 2 - 1, size=64, mode="bicubic"
        )
        noise = torch.randn(face.shape, generator=generator)
        found = [network(face, face + amount * noise).item() for amount in (0, 0.05, 0.2, 0.5)]
    assert found[0] == 0 and found == sorted(found) and 0.3 < found[-1] < 1.5


def described(path, layout="torch"):
    from fersyn.weights.places import sha256_of

    return {"file": path.name, "sha256": sha256_of(path), "bytes": path.stat().st_size, "layout": layout, "hub": True}


def test_kernels_are_turned(tmp_path):
    kernel = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)  # H, W, in, out
    tree = {"Net_0": {"Conv_0": {"kernel": kernel, "bias": np.ones(5, np.float32)}}, "Head": {"w": np.zeros(1)}}
    (tmp_path / "a").write_bytes(pickle.dumps(tree))
    state = readers.convolutions(tmp_path / "a", (7,))
    assert list(state) == ["features.7.weight", "features.7.bias"]
    assert state["features.7.weight"].shape == (5, 4, 2, 3)
    assert state["features.7.weight"][4, 3, 1, 2] == kernel[1, 2, 3, 4]
    with pytest.raises(FersynError, match="cannot be read"):
        readers.convolutions(tmp_path / "a", (0, 3))


class Calls:
    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize(
    "trap",
    [Calls(os.mkdir, "trapped"), Calls(eval, "1"), Calls(np.load, "x"), Calls(pickle.loads, b"")],
)  # fmt: skip
def test_nothing_but_arrays_is_unpickled(tmp_path, monkeypatch, trap):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_bytes(pickle.dumps({"Net_0": {"Conv_0": trap}}))
    with pytest.raises(FersynError, match="only arrays are admitted"):
        readers.convolutions(tmp_path / "a", (0,))
    assert not (tmp_path / "trapped").exists()


def test_a_keras_file_by_layer_and_part(tmp_path):
    import h5py

    kernel = np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3)
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        for layer, parts in {"conv2d_1": ["conv2d_1_1/kernel:0", "conv2d_1_1/bias:0"], "activation_1": []}.items():
            group = file.create_group(f"model_weights/{layer}")
            group.attrs["weight_names"] = np.array([part.encode() for part in parts], "S40")
            for part in parts:
                group[part] = kernel if "kernel" in part else np.ones(3, np.float64)
        file.create_group("optimizer_weights")["x"] = 1
    state = readers.keras_layers(tmp_path / "a.hdf5")
    assert set(state) == {"conv2d_1.kernel", "conv2d_1.bias"}
    assert state["conv2d_1.kernel"].numpy().tolist() == kernel.tolist()
    assert state["conv2d_1.bias"].dtype == torch.float32
    (tmp_path / "b.hdf5").write_bytes(b"no HDF5")
    with pytest.raises(FersynError, match="b.hdf5 cannot be read"):
        readers.keras_layers(tmp_path / "b.hdf5")


def test_the_judge_of_fer_is_read_whole(monkeypatch):
    state = real("fer", monkeypatch)[1]
    assert len(state) == 80 and state["conv2d_7.kernel"].shape == (3, 3, 128, 7)
    with pytest.raises(FersynError, match="fer"):
        weights.graph("fer")
