"""A network of TensorFlow Lite as a torch module: batches, any device, gradients to its inputs.

It has the operations of MediaPipe's face networks and of MobileNetV2; another one is refused by its name. Tensors keep
TensorFlow's order of axes (N, H, W, C), which to torch's convolutions is their memory format "channels last".
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn.errors import FersynError
from fersyn.weights.tflite_file import Graph, Operation

_SAME = 0  # the option Padding: SAME; 1 is VALID
_FUSED = "FusedActivationFunction"  # the option: what is done to an operation's output
_ACTIVATIONS: dict[int, Callable[[Tensor], Tensor]] = {0: lambda x: x, 1: functional.relu, 3: functional.relu6}
Shapes = list[tuple[int, ...]]  # in the file: of an operation's inputs and, last, of its output


def pad_same(x: Tensor, kernel: int | Sequence[int], stride: int | Sequence[int], value: float = 0.0) -> Tensor:
    """TensorFlow's padding SAME of (N, C, H, W) for a kernel and stride (one number, or height and width): so much that
    H / stride, rounded up, places fit; what is odd goes right and below.
    """
    kernel, stride = ((n, n) if isinstance(n, int) else n for n in (kernel, stride))
    pads: list[int] = []
    for side, k, s in zip(reversed(x.shape[-2:]), reversed(kernel), reversed(stride), strict=True):
        whole = max((-(-side // s) - 1) * s + k - side, 0)
        pads += [whole // 2, whole - whole // 2]
    return functional.pad(x, pads, value=value) if any(pads) else x


class TFLiteGraph(nn.Module):
    """``forward``: as the file's inputs, but N samples each -> list of its outputs, N samples each.

    The file's tensors hold one sample; an axis 0 of length 1 is the batch's. Constants are buffers: nothing is trained.

    Args:
        graph: of `fersyn.weights.graph`.
        logits: leave out a softmax at the end.

    Raises:
        FersynError: an operation that is not known here.
    """

    def __init__(self, graph: Graph, logits: bool = False):
        super().__init__()
        operations = list(graph.operations)
        if logits and operations[-1].kind == "SOFTMAX":
            operations[-1] = Operation("DEQUANTIZE", operations[-1].inputs, operations[-1].output)
        unknown = {each.kind for each in operations if each.kind not in _OPERATIONS}
        unknown |= {f"activation {n}" for each in operations if (n := each.options.get(_FUSED, 0)) not in _ACTIVATIONS}
        if unknown:
            raise FersynError(f"the network has operations that are not known here: {', '.join(sorted(unknown))}")
        constants = dict(graph.constants)
        self.steps: list[Operation] = []
        for operation in operations:
            if operation.kind == "DEQUANTIZE" and operation.inputs[0] in constants:  # the reader has widened it
                constants[operation.output] = constants[operation.inputs[0]]
            else:
                self.steps.append(operation)
        self.shapes, self.inputs, self.outputs = graph.shapes, graph.inputs, graph.outputs
        needed = {number for step in self.steps for number in step.inputs}
        self.whole: dict[int, list[int]] = {}  # axes, shapes, bounds
        for number in needed & set(constants):
            value = constants[number]
            if value.dtype.kind == "f":
                self.register_buffer(f"c{number}", torch.from_numpy(value), persistent=False)
            else:
                self.whole[number] = value.reshape(-1).tolist()
        # What no later step needs is let go, or a batch fills the memory.
        last = {number: k for k, step in enumerate(self.steps) for number in step.inputs if number not in constants}
        self.spent = [[n for n in last if last[n] == k and n not in self.outputs] for k in range(len(self.steps))]

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        """See the class."""
        values: dict[int, Any] = {-1: None, **self.whole, **dict(zip(self.inputs, inputs, strict=True))}
        values |= {int(name[1:]): constant for name, constant in self.named_buffers()}
        for step, spent in zip(self.steps, self.spent, strict=True):
            shapes = [self.shapes[number] for number in (*step.inputs, step.output)]
            made = _OPERATIONS[step.kind]([values[number] for number in step.inputs], step.options, shapes)
            values[step.output] = _ACTIVATIONS[step.options.get(_FUSED, 0)](made)
            for number in spent:
                del values[number]
        return [values[number] for number in self.outputs]


def _pair(options: dict, first: str, second: str) -> tuple[int, int]:
    return options[first], options[second]


def _convolution(inputs: list, options: dict, shapes: Shapes, depthwise: bool = False) -> Tensor:
    x, kernel, *bias = inputs  # kernel: (out, H, W, in), of a depthwise one (1, H, W, out)
    x = x.permute(0, 3, 1, 2)
    weight = kernel.permute(3, 0, 1, 2) if depthwise else kernel.permute(0, 3, 1, 2)
    stride, apart = _pair(options, "StrideH", "StrideW"), _pair(options, "DilationHFactor", "DilationWFactor")
    if options["Padding"] == _SAME:
        reach = [(k - 1) * d + 1 for k, d in zip(weight.shape[-2:], apart, strict=True)]
        x = pad_same(x, reach, stride)
    groups = x.shape[1] // weight.shape[1]
    return functional.conv2d(x, weight, *bias[:1], stride, 0, apart, groups).permute(0, 2, 3, 1)


def _depthwise(inputs: list, options: dict, shapes: Shapes) -> Tensor:
    return _convolution(inputs, options, shapes, depthwise=True)


def _max_pool(inputs: list, options: dict, shapes: Shapes) -> Tensor:
    x = inputs[0].permute(0, 3, 1, 2)
    size, stride = _pair(options, "FilterHeight", "FilterWidth"), _pair(options, "StrideH", "StrideW")
    if options["Padding"] == _SAME:
        x = pad_same(x, size, stride, value=-torch.inf)
    return functional.max_pool2d(x, size, stride).permute(0, 2, 3, 1)


def _dense(inputs: list, options: dict, shapes: Shapes) -> Tensor:
    x, weight, *bias = inputs
    rows = x.flatten(1).unflatten(1, (-1, weight.shape[1]))
    return functional.linear(rows, weight, *bias[:1]).reshape(len(x), *shapes[-1][1:])


def _pad(inputs: list, options: dict, shapes: Shapes) -> Tensor:
    around = inputs[1]  # before and after, first axis first; torch wants the last axis first
    pairs = [around[k : k + 2] for k in range(0, len(around), 2)]
    return functional.pad(inputs[0], [n for pair in reversed(pairs) for n in pair])


def _reshape(inputs: list, options: dict, shapes: Shapes) -> Tensor:
    return inputs[0].reshape(len(inputs[0]), *shapes[-1][1:])


def _concatenated(inputs: list, options: dict, shapes: Shapes) -> Tensor:
    samples = next((len(x) for x in inputs if len(x) != 1), 1)  # a constant stands in front of every sample
    return torch.cat([x.expand(samples, *x.shape[1:]) for x in inputs], options["Axis"])


def _slice(inputs: list, options: dict, shapes: Shapes) -> Tensor:
    """The batch's axis stays whole."""
    x, begins, ends, strides = inputs
    taken: list[Any] = [slice(None)]
    for axis in range(1, len(begins)):
        bit = 1 << axis
        if options["ShrinkAxisMask"] & bit:
            taken.append(begins[axis])
            continue
        begin = None if options["BeginMask"] & bit else begins[axis]
        taken.append(slice(begin, None if options["EndMask"] & bit else ends[axis], strides[axis]))
    return x[tuple(taken)]


def _over(reduce: Callable) -> Callable[[list, dict, Shapes], Tensor]:
    return lambda inputs, options, shapes: reduce(inputs[0], dim=inputs[1], keepdim=bool(options["KeepDims"]))


def _plain(function: Callable[..., Tensor]) -> Callable[[list, dict, Shapes], Tensor]:
    return lambda inputs, options, shapes: function(*inputs)


_OPERATIONS: dict[str, Callable[[list, dict, Shapes], Tensor]] = {
    "ADD": _plain(torch.add),
    "CONCATENATION": _concatenated,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DEQUANTIZE": _plain(lambda x: x),
    "DIV": _plain(torch.div),
    "FULLY_CONNECTED": _dense,
    "LOGISTIC": _plain(torch.sigmoid),
    "MAX_POOL_2D": _max_pool,
    "MEAN": _over(torch.mean),
    "MUL": _plain(torch.mul),
    "NEG": _plain(torch.neg),
    "PAD": _pad,
    "PRELU": _plain(lambda x, slope: torch.where(x > 0, x, x * slope)),
    "RESHAPE": _reshape,
    "RSQRT": _plain(torch.rsqrt),
    "SOFTMAX": _plain(lambda x: x.softmax(-1)),
    "SQRT": _plain(torch.sqrt),
    "SQUARED_DIFFERENCE": _plain(lambda x, y: (x - y) ** 2),
    "STRIDED_SLICE": _slice,
    "SUB": _plain(torch.sub),
    "SUM": _over(torch.sum),
    "TRANSPOSE": _plain(lambda x, axes: x.permute(axes)),
}
