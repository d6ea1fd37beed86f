"""The one rule for where networks compute, and that a network and what it is given end on the same device, and only there.

No GPU is needed: the rule names torch's device `meta`, whose tensors have no numbers, and `There` stands for its driver. Whatever
would mix host and device on a GPU fails; what is read from the device is all zero.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fersyn import devices, methods, weights
from fersyn.errors import FersynError
from fersyn.evaluation import fid, image_metrics, judging, measure, verifiers
from fersyn.evaluation.verifiers import opencv, torch_networks
from fersyn.generating import casting, inversion, portrait
from fersyn.nets import dlib_face, expression_mapper, instruments, light_cnn, recogniser, shipped, stylegan
from fersyn.training import runs

INDEXING = (
    "aten::index",
    "aten::index_put_",
    "aten::_index_put_impl_",
)  # of what is on the device, also by the host's numbers


class Mixed(AssertionError):
    """An operator was given numbers of the host and of the device."""


class There(TorchDispatchMode):
    """`meta` as if it were a GPU: reading gives zeros; mixing raises `Mixed`. `count`: operators that ran there."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        given = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        if not any(each.is_meta for each in given):
            return func(*args, **kwargs)
        if func._schema.name in ("aten::_to_copy", "aten::copy_", "aten::_local_scalar_dense"):
            return self.copied(func, args, kwargs)
        with self:
            found = func.decompose(*args, **kwargs)
        if found is not NotImplemented:
            return found
        host = [each for each in given if not each.is_meta and each.ndim]
        if host and not (func._schema.name in INDEXING and given[0].is_meta):
            raise Mixed(func._schema.name)
        self.count += 1
        return func(*args, **kwargs)

    def copied(self, func, args, kwargs):
        """What moves numbers: from the device come zeros."""
        if func._schema.name == "aten::_local_scalar_dense":
            return 0
        if func._schema.name == "aten::copy_":
            return args[0] if args[0].is_meta else args[0].zero_()
        if torch.device(kwargs.get("device") or "meta").type == "meta":
            return func(*args, **kwargs)
        return torch.zeros(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)


KEPT = (
    portrait.makers, portrait.portrait, inversion.get, judging.opened, casting._instrument, casting._own, fid._network, opencv._sface,
    image_metrics._lpips_network, image_metrics._st_lpips_network, dlib_face._network,
)  # fmt: skip


@pytest.fixture
def there(monkeypatch):
    """Everything that goes by the rule is on `meta`."""
    monkeypatch.setattr(devices, "KINDS", ("meta",))
    monkeypatch.setenv(devices.VARIABLE, "meta")
    known = shipped.about(expression_mapper.FILE)["generator"]
    monkeypatch.setattr(stylegan.Generator, "fingerprint", known)  # else worked out of weights that are read
    for kept in KEPT:
        kept.cache_clear()
    with There() as mode:
        yield mode
    for kept in KEPT:
        kept.cache_clear()


class Gpu(str):
    """The CPU by name, a GPU by kind."""

    type = "cuda"


def given_to_verifiers(table):
    return table.images([0, 1]), table.landmarks([0, 1])


def need(*names):
    if lost := [name for name in names if weights.find(name) is None]:
        pytest.skip(f"weights are not here: {', '.join(lost)}")


@pytest.fixture
def given(small_table):
    """Faces, their landmarks, and those of others, on the CPU."""
    rows = [0, 1, 2]
    points = torch.from_numpy(small_table.landmarks(rows)).float()
    return small_table.tensor(rows), points, points.flip(0)


def test_the_rule_is_a_gpu_where_there_is_one_or_what_is_asked_for(monkeypatch):
    monkeypatch.delenv(devices.VARIABLE, raising=False)
    for has, kind in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda has=has: has)
        assert devices.default_device().type == kind
    monkeypatch.setenv(devices.VARIABLE, "tpu")
    with pytest.raises(FersynError, match="'tpu'; use one of: auto, cpu, cuda, mps"):
        devices.default_device()
    monkeypatch.setenv(devices.VARIABLE, "cuda")
    with pytest.raises(FersynError, match="FERSYN_ACCELERATOR is cuda, but torch finds no such device here"):
        devices.default_device()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv(devices.VARIABLE, "CPU")
    assert devices.default_device().type == "cpu"


def test_nobody_asks_for_a_gpu_beside_the_rule():
    """Of the package's modules; notebooks and what belongs to a GPU alone (its graphs, its generators, its name) aside."""
    package = Path(devices.__file__).parent
    asking = {
        str(path.relative_to(package)) for path in package.rglob("*.py") if "cuda.is_available" in path.read_text()
    }
    notebooks = package.parent / "notebooks"
    assert asking == {"devices.py"}
    assert not [path.name for path in notebooks.glob("*.ipynb") if "is_available()" in path.read_text()]


def test_mixing_is_seen(there):
    weight = torch.zeros(3, 3, device="meta")
    for wrong in (
        lambda: torch.ones(2, 3) @ weight,
        lambda: weight + torch.ones(3),
        lambda: torch.ones(9)[weight.long()],
    ):
        with pytest.raises(Mixed):
            wrong()
    with pytest.raises((TypeError, RuntimeError)):
        weight.numpy()
    assert (
        weight[torch.tensor([1, 2])].is_meta
        and (weight * torch.tensor(2.0)).cpu().tolist() == torch.zeros(3, 3).tolist()
    )


EDITING = [name for name in methods.names() if methods.get(name).edits and name not in ("copy", "warp", "emotion-gan")]


@pytest.mark.parametrize("name", EDITING)
def test_edits_are_made_there_and_come_back(name, there, given):
    method = methods.get(name)
    config = method.preset("smoke")
    filled = runs.assemble(name, config.model_dump(mode="json"), lambda networks: networks, None, (), "", None)
    assert filled.device.type == "meta"
    faces, source, target = given
    before = there.count
    made = filled.edit(faces, "happiness", 0.5, target, source)
    assert made.device.type == "cpu" and made.shape == faces.shape and there.count > before + 10
    if filled.recognises:
        assert filled.recognise(faces).shape == (3, 8)
    told = filled.explain(faces, "happiness", 0.5, target, source)
    assert {each.device.type for each in told.values()} == {"cpu"}


@pytest.mark.parametrize("network", ["cnn", "resnet18"])
def test_recognisers_learn_and_name_there(network, there, given):
    told = []
    faces = torch.cat([given[0]] * 3)
    taught = recogniser.train_recogniser(
        faces, torch.arange(9) % 2, 2, classes=2, batch=4, network=network, report=lambda *each: told.append(each)
    )
    assert {each.device.type for each in taught.state_dict().values()} == {"meta"} and len(told) == 2
    assert recogniser.predict(taught, faces).shape == (9, 2)


def test_a_pass_of_a_recogniser_is_read_once(there, given, monkeypatch):
    reads, copied = [], There.copied
    monkeypatch.setattr(There, "copied", lambda self, func, *rest: reads.append(func) or copied(self, func, *rest))
    faces = torch.cat([given[0]] * 3)

    def count(epochs):
        reads.clear()
        recogniser.train_recogniser(faces, torch.arange(9) % 2, epochs, classes=2, batch=3, report=lambda *_: None)
        return sum("local_scalar" in str(each) for each in reads)

    assert count(4) == count(1)


@pytest.mark.parametrize("name", instruments.NAMES)
def test_instruments_read_there(name, there, given):
    need(name)
    instrument = instruments.get(name)
    if name == "actions":
        assert instrument.measured(given[0]).shape == (3, 52) and instrument.mesh(given[0]).is_meta
    else:
        assert instrument.named(given[0]).shape == (3,)


@pytest.mark.parametrize("metric", ["psnr", "ssim", "lpips", "st_lpips"])
def test_metrics_compare_there(metric, there, small_table):
    need(*{"lpips": [image_metrics.LPIPS], "st_lpips": [image_metrics.ST_LPIPS]}.get(metric, []))
    own = measure.Pictures(torch.from_numpy(small_table.images([0, 1])).permute(0, 3, 1, 2).contiguous())
    found = getattr(image_metrics, metric)(own.faces, own.faces)
    assert found.is_meta and own.pixels.device.type == "cpu"


def test_fid_reads_there(there, given):
    need(fid.WEIGHTS)
    before = there.count
    assert fid.features(given[0]).shape == (3, fid.FEATURES) and there.count > before + 100


def test_verifiers_of_torch_describe_there(there, small_table, monkeypatch):
    network = light_cnn.LightCNN9().eval()
    monkeypatch.setattr(torch_networks.LightCNN, "network", lambda self: network)
    found = torch_networks.LightCNN("light-cnn-9").embed(*given_to_verifiers(small_table))
    assert found.shape == (2, light_cnn.FEATURES) and next(network.parameters()).is_meta


def test_sface_describes_there(there, small_table):
    need("sface")
    before = there.count
    assert (
        verifiers.get("sface").embed(*given_to_verifiers(small_table)).shape == (2, 128) and there.count > before + 30
    )


def test_dlib_s_network_describes_there(there, small_table):
    before = there.count
    assert dlib_face.describe(*given_to_verifiers(small_table)).shape == (2, 128) and there.count > before + 50


def test_sface_says_the_same_by_torch_and_by_opencv(small_table, monkeypatch):
    need("sface")
    own = verifiers.get("sface").embed(*given_to_verifiers(small_table))
    monkeypatch.setattr(opencv, "default_device", lambda: Gpu("cpu"))
    other = verifiers.get("sface").embed(*given_to_verifiers(small_table))
    assert np.abs(own - other).max() < 1e-3 * np.abs(own).max() and not np.array_equal(own, other)


def test_the_generator_draws_there(there):
    need(*inversion.weights())
    before = there.count
    assert portrait.portrait(0, 1, 0.7, "fear", 1.0).shape == (256, 256, 3) and there.count > before + 100


@pytest.mark.parametrize("steps", [0, 2])
def test_faces_are_inverted_there(steps, there, given):
    need(*inversion.weights(steps))
    inverter, (faces, points, _) = inversion.get(steps), given
    codes = inverter(faces[:1], points[:1])
    assert codes.device.type == "cpu" and codes.shape[0] == 1
    assert inverter.faces(codes, points[:1], 64).shape == (1, 3, 64, 64) and next(inverter.encoder.parameters()).is_meta


@pytest.mark.parametrize("settings", [{"axes": "mapper"}, {"axes": "landmarks"}])
def test_emotion_gan_moves_codes_there(settings, there, given, monkeypatch):
    need(*inversion.weights())
    method = methods.get("emotion-gan")
    networks = method.networks(config := method.preset("smoke", refinement=0, **settings))
    synthesiser = method.synthesiser(config, networks)
    code = synthesiser.inverter(given[0][:1], given[1][:1])
    if "axes" in networks:
        monkeypatch.setattr(type(networks["axes"]), "known", lambda self: [5])
    assert synthesiser.moved(code, 5, 0.5).is_meta and synthesiser.moved(code, 0, 0.5).is_meta
    assert synthesiser._drawn(synthesiser.moved(code, 5, 1.0), given[0].shape[-1], given[1][:1]).device.type == "cpu"
