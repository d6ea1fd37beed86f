import numpy as np
import pytest
import torch
from torch.nn import functional

from fersyn.errors import FersynError
from fersyn.nets.tflite_graph import TFLiteGraph, pad_same
from fersyn.weights.tflite_file import Graph, Operation

WINDOW = {"DilationHFactor": 1, "DilationWFactor": 1, "FusedActivationFunction": 0}
TWO = {"StrideH": 2, "StrideW": 2}


def graph(operations, shapes, constants=None):
    """Tensor 0 goes in, the last operation's output comes out."""
    steps = tuple(Operation(*operation) for operation in operations)
    return TFLiteGraph(Graph(tuple(shapes), constants or {}, steps, (0,), (steps[-1].output,)))


def picture(*shape):
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "wanted"), [(8, 3, 2, 4), (7, 3, 2, 4), (5, 2, 2, 3), (8, 3, 1, 8)]
)
def test_padding_same_puts_the_odd_pixel_right_and_below(side, kernel, stride, wanted):
    padded = pad_same(torch.ones(1, 1, side, side), kernel, stride)
    assert functional.max_pool2d(padded, kernel, stride).shape[-1] == wanted
    ends = padded[0, 0, side // 2]
    before, after = int((ends[: side // 2] == 0).sum()), int((ends[side // 2 :] == 0).sum())
    assert 0 <= after - before <= 1


def test_convolutions_with_bias_stride_padding_and_activation():
    x, kernel, bias = picture(3, 7, 7, 4), picture(6, 3, 3, 4).numpy(), picture(6).numpy()
    options = WINDOW | TWO | {"Padding": 0, "FusedActivationFunction": 3}
    net = graph(
        [("CONV_2D", (0, 1, 2), 3, options)], [(1, 7, 7, 4), (6, 3, 3, 4), (6,), (1, 4, 4, 6)], {1: kernel, 2: bias}
    )
    weight = torch.from_numpy(kernel).permute(0, 3, 1, 2)
    wanted = functional.conv2d(functional.pad(x.permute(0, 3, 1, 2), (1, 1, 1, 1)), weight, torch.from_numpy(bias), 2)
    torch.testing.assert_close(net(x)[0].permute(0, 3, 1, 2), wanted.clamp(0, 6))


def test_a_depthwise_convolution_keeps_channels_apart():
    x, kernel = picture(2, 5, 5, 4), np.zeros((1, 3, 3, 4), np.float32)
    kernel[0, 1, 1] = [1, 2, 3, 4]
    options = WINDOW | {"StrideH": 1, "StrideW": 1, "Padding": 1}
    net = graph(
        [("DEPTHWISE_CONV_2D", (0, 1, -1), 2, options)], [(1, 5, 5, 4), (1, 3, 3, 4), (1, 3, 3, 4)], {1: kernel}
    )
    torch.testing.assert_close(net(x)[0], x[:, 1:-1, 1:-1] * torch.tensor([1.0, 2, 3, 4]))


def test_fp16_constants_stand_behind_dequantize():
    steps = [("DEQUANTIZE", (1,), 2), ("MUL", (0, 2), 3, {"FusedActivationFunction": 1})]
    net = graph(steps, [(1, 3), (3,), (3,), (1, 3)], {1: np.float32([1, -2, 3])})
    assert net(torch.ones(4, 3))[0].tolist() == [[1, 0, 3]] * 4 and len(net.steps) == 1


def test_every_sample_of_a_batch_goes_its_own_way():
    """Pools, pads, slices, a constant in front, reshapes that name one sample, axes: as one at a time."""
    shapes = [(1, 4, 4, 2), (4, 2), (1, 5, 5, 2), (1, 3, 3, 2), (2,), (1, 9, 2), (1, 1, 2), (1, 10, 2), (3,), (3,), (3,),
              (1, 4, 2), (1,), (1, 1, 2), (2,), (2,), (2,), (2,)]  # fmt: skip
    constants = {
        1: np.int32([[0, 0], [0, 1], [1, 0], [0, 0]]), 4: np.int32([9, 2]), 6: np.ones((1, 1, 2), np.float32),
        8: np.int32([0, 1, 0]), 9: np.int32([1, 9, 0]), 10: np.int32([1, 2, 1]), 12: np.int32([1]),
        14: np.int32([0, 0, 0]), 15: np.int32([1, 1, 2]), 16: np.int32([1, 1, 1]),
    }  # fmt: skip
    steps = [
        ("PAD", (0, 1), 2),
        ("MAX_POOL_2D", (2,), 3, TWO | {"FilterHeight": 2, "FilterWidth": 2, "Padding": 0}),
        ("RESHAPE", (3, 4), 5),
        ("CONCATENATION", (6, 5), 7, {"Axis": -2}),
        ("STRIDED_SLICE", (7, 8, 9, 10), 11, {"BeginMask": 5, "EndMask": 4, "ShrinkAxisMask": 0}),
        ("MEAN", (11, 12), 13, {"KeepDims": True}),
        ("STRIDED_SLICE", (13, 14, 15, 16), 17, {"BeginMask": 4, "EndMask": 4, "ShrinkAxisMask": 3}),
    ]
    net, x = graph(steps, shapes, constants), picture(3, 4, 4, 2)
    found = net(x)[0]
    torch.testing.assert_close(found, torch.cat([net(each[None])[0] for each in x]))
    padded = functional.pad(x, (0, 0, 1, 0, 0, 1)).permute(0, 3, 1, 2)
    pooled = (
        functional.max_pool2d(functional.pad(padded, (0, 1, 0, 1), value=-9), 2).permute(0, 2, 3, 1).reshape(3, 9, 2)
    )
    torch.testing.assert_close(found, torch.cat([torch.ones(3, 1, 2), pooled], 1)[:, 1:9:2].mean(1))


def test_a_softmax_at_the_end_can_be_left_out():
    kind = Graph(((1, 3), (1, 3)), {}, (Operation("SOFTMAX", (0,), 1),), (0,), (1,))
    x = torch.tensor([[1.0, 2, 4]])
    assert TFLiteGraph(kind, logits=True)(x)[0] is x
    torch.testing.assert_close(TFLiteGraph(kind)(x)[0], x.softmax(1))


def test_what_is_not_known_is_refused_by_its_name():
    with pytest.raises(FersynError, match="not known here: CUSTOM"):
        graph([("CUSTOM", (0,), 1)], [(1,), (1,)])
    with pytest.raises(FersynError, match="not known here: activation 5"):
        graph([("ADD", (0, 0), 1, {"FusedActivationFunction": 5})], [(1,), (1,)])
