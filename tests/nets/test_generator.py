"""Published sizes: Li, Qi & Sun, IEEE Access 9, 2021, Tables 1 and 2, at 128x128. No numbers of weights are published:
those here are counted by hand from the tables."""

import pytest
import torch
from torch import nn

from fersyn.nets.generator import Decoder, LandmarkLabelGenerator, MigrationBlock, ReflectionPad


def shapes(network, *inputs):
    """Output shapes of the layers of a sequence, without the batch."""
    found = []
    hooks = [layer.register_forward_hook(lambda m, i, out: found.append(tuple(out.shape[1:]))) for layer in network]
    network(*inputs)
    for hook in hooks:
        hook.remove()
    return found


def weights(network):
    return sum(weight.numel() for weight in network.parameters())


@pytest.fixture(scope="module")
def published():
    return LandmarkLabelGenerator().eval()


def test_feature_initialise_networks(published):
    with torch.no_grad():
        for network, channels in ((published.image_network, 3), (published.landmark_network, 1)):
            found = shapes(network, torch.zeros(1, channels, 128, 128))
            assert [found[i] for i in (0, 1, 4, 7)] == [
                (channels, 134, 134), (64, 128, 128), (128, 64, 64), (256, 32, 32),
            ]  # fmt: skip
            assert found[-1] == (256, 32, 32)


def test_table_1_blocks(published):
    assert len(published.blocks) == 9
    for t, block in enumerate(published.blocks):
        image_path = ["ReflectionPad", "Conv2d", "BatchNorm2d", "ReLU", "Dropout", "ReflectionPad", "Conv2d"]
        assert [type(layer).__name__ for layer in block.conv_p] == [*image_path, "BatchNorm2d"]  # rows 1_1 .. 1_8
        assert [type(layer).__name__ for layer in block.conv_s] == image_path  # rows 2_1 .. 2_7
        inside = 256 if t == 0 else 512  # eq. (3) concatenates, so that conv_s takes twice the channels
        assert block.conv_s[1].in_channels == inside and block.conv_s[6].out_channels == 256
        assert block.conv_p[1].in_channels == block.conv_p[6].out_channels == 256
        with torch.no_grad():
            image, landmarks = block(torch.zeros(1, 256, 32, 32), torch.zeros(1, inside, 32, 32))
        assert image.shape == (1, 256, 32, 32) and landmarks.shape == (1, 512, 32, 32)


def test_table_2_decoder(published):
    with torch.no_grad():
        found = shapes(published.decoder, torch.zeros(1, 256 + 8, 32, 32))
    assert found == [
        (128, 64, 64), (128, 64, 64), (128, 64, 64),
        (64, 128, 128), (64, 128, 128), (64, 128, 128),
        (64, 134, 134), (3, 128, 128), (3, 128, 128),
    ]  # fmt: skip


def test_weights_of_the_published_sizes(published):
    def initial(inside):
        return inside * 64 * 49 + 2 * 64 + 64 * 128 * 9 + 2 * 128 + 128 * 256 * 9 + 2 * 256

    image_path = 2 * (256 * 256 * 9 + 2 * 256)
    first = 256 * 256 * 9 + 2 * 256 + 256 * 256 * 9 + 256
    later = 512 * 512 * 9 + 2 * 512 + 512 * 256 * 9 + 256
    decoder = 264 * 128 * 9 + 2 * 128 + 128 * 64 * 9 + 2 * 64 + 64 * 3 * 49 + 3
    assert weights(published.image_network) == initial(3) and weights(published.landmark_network) == initial(1)
    assert weights(published.blocks[0]) == image_path + first
    assert [weights(block) for block in published.blocks[1:]] == [image_path + later] * 8
    assert weights(published.decoder) == decoder
    assert weights(published) == initial(3) + initial(1) + 9 * image_path + first + 8 * later + decoder == 41_267_523


def test_weights_are_drawn_as_published(published):
    for module in published.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and module.weight.numel() > 50_000:
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.03)
            assert abs(module.weight.mean().item()) < 1e-3
            assert module.bias is None or not module.bias.any()


def test_block_computes_equations_1_to_3():
    torch.manual_seed(0)
    block = MigrationBlock(4).eval()
    image, landmarks = torch.randn(2, 4, 6, 6), torch.randn(2, 8, 6, 6)
    code, change = block.conv_s(landmarks), block.conv_p(image)
    new_image, new_landmarks = block(image, landmarks)
    expected = change / (1 + torch.exp(-code)) + image
    assert torch.allclose(new_image, expected, atol=1e-6)
    assert torch.equal(new_landmarks[:, :4], code) and torch.equal(new_landmarks[:, 4:], new_image)


def small(**settings):
    torch.manual_seed(0)
    return LandmarkLabelGenerator(**{"blocks": 2, "width": 4, "dropout": 0.0, **settings})


def inputs(channels=1, size=32):
    torch.manual_seed(1)
    return torch.rand(2, 3, size, size) * 2 - 1, torch.rand(2, channels, size, size), 2 * torch.eye(8)[:2] - 1


@pytest.mark.parametrize("initialise_networks", [True, False])
@pytest.mark.parametrize("label_maps", [True, False])
@pytest.mark.parametrize("channels", [1, 68])
def test_switches(initialise_networks, label_maps, channels):
    network = small(initialise_networks=initialise_networks, label_maps=label_maps, heatmap_channels=channels)
    faces = network(*inputs(channels))
    assert faces.shape == (2, 3, 32, 32) and faces.abs().max() <= 1
    faces.sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in network.parameters() if weight.ndim == 4)


def test_without_initialise_networks_the_features_have_the_same_size():
    plain = LandmarkLabelGenerator(blocks=1, initialise_networks=False)
    assert plain.image_network(torch.zeros(1, 3, 128, 128)).shape == (1, 256, 32, 32)
    assert plain.landmark_network(torch.zeros(1, 1, 128, 128)).shape == (1, 256, 32, 32)
    assert weights(plain.image_network) == 3 * 256 + 256


def test_label_matters_only_with_label_maps():
    faces, maps, code = inputs()
    for label_maps in (True, False):
        network = small(label_maps=label_maps).eval()
        assert torch.equal(network(faces, maps, code), network(faces, maps, code.flip(0))) is not label_maps


def test_without_blocks_the_landmarks_do_not_count_and_no_weight_is_idle():
    faces, maps, code = inputs()
    network = small(blocks=0)
    network(faces, maps, code).sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in network.parameters() if weight.ndim == 4)
    assert not any(name.startswith("landmark_network") for name in network.state_dict())
    network.eval()
    out = network(faces, maps, code)
    assert torch.equal(out, network(faces, maps.flip(2), code)) and not torch.equal(
        out, network(faces, maps, code.flip(0))
    )


def test_landmarks_and_source_matter():
    faces, maps, code = inputs()
    network = small().eval()
    out = network(faces, maps, code)
    assert not torch.equal(out, network(faces, maps.flip(2), code))
    assert not torch.equal(out, network(faces.flip(2), maps, code))


def test_faces_of_a_batch_do_not_mix_when_used():
    faces, maps, code = inputs()
    network = small().eval()
    assert torch.allclose(network(faces, maps, code)[:1], network(faces[:1], maps[:1], code[:1]), atol=1e-6)


def test_wrong_shapes_are_refused():
    faces, maps, code = inputs()
    for wrong in ((faces[:, :1], maps, code), (faces, maps[:1], code), (faces, maps, code[:, :7])):
        with pytest.raises(AssertionError):
            small()(*wrong)
    with pytest.raises(AssertionError):
        small()(*inputs(size=30))


def test_decoder_width():
    assert Decoder(16, 4)(torch.zeros(1, 16, 8, 8)).shape == (1, 3, 32, 32)


@pytest.mark.parametrize("reach", [1, 3])
def test_the_padding_is_torch_s_and_keeps_channels_last(reach):
    maps = torch.randn(2, 5, 8, 9).to(memory_format=torch.channels_last).requires_grad_()
    same = maps.detach().clone().requires_grad_()
    own, other = ReflectionPad(reach)(maps), torch.nn.functional.pad(same, (reach,) * 4, mode="reflect")
    assert torch.equal(own, other) and own.is_contiguous(memory_format=torch.channels_last)
    weight = torch.randn_like(other)
    (own * weight).sum().backward(), (other * weight).sum().backward()
    assert torch.allclose(maps.grad, same.grad, atol=1e-6)
