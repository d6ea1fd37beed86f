"""TFLite files (flatbuffers of TensorFlow Lite) as plain numbers: constants, and the list of operations on them.

The package `tflite` has the format's schema. Constants come back as float32 or as integers, whatever they are stored as:
fp16 is widened, what is quantised to 8 bit is multiplied out.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fersyn.errors import FersynError

# What an operation's options may say; each kind of operation has some of them.
_OPTIONS = (
    "Padding", "StrideH", "StrideW", "DilationHFactor", "DilationWFactor", "FilterHeight", "FilterWidth",
    "FusedActivationFunction", "KeepDims", "Axis", "BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask",
)  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One step of a graph.

    Attributes:
        kind: the schema's name: CONV_2D, ADD ...
        inputs: numbers of the tensors that it takes; -1 where an optional one is left out.
        output: number of the tensor that it makes.
        options: the schema's names (Padding, StrideH ...) and its numbers.
    """

    kind: str
    inputs: tuple[int, ...]
    output: int
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """A network as the file has it, for one sample; pictures are (1, H, W, C).

    Attributes:
        shapes: of all tensors, by number.
        constants: weights and other fixed tensors, by number.
        operations: in the order in which they are to be done.
        inputs: numbers of the tensors that are given.
        outputs: numbers of the tensors that are wanted.
    """

    shapes: tuple[tuple[int, ...], ...]
    constants: dict[int, np.ndarray]
    operations: tuple[Operation, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_graph(path: Path, member: str = "") -> Graph:
    """Read a .tflite file, or the one that a bundle (a zip) holds under the name `member`.

    Raises:
        FersynError: it cannot be read, or has no such member.
    """
    try:
        if member:
            with zipfile.ZipFile(path) as bundle:
                return _graph(bundle.read(member))
        return _graph(path.read_bytes())
    except Exception as error:  # a flatbuffer of something else raises whatever its bytes lead to
        what = f"{path}: {member}" if member else str(path)
        raise FersynError(f"{what} cannot be read ({error}); delete the file and fetch it again") from error


def _graph(data: bytes) -> Graph:
    import tflite

    if not tflite.Model.ModelBufferHasIdentifier(data, 0):
        raise ValueError("no TFLite file")
    model = tflite.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    tensors = [graph.Tensors(i) for i in range(graph.TensorsLength())]
    constants = {}
    for number, tensor in enumerate(tensors):
        stored = model.Buffers(tensor.Buffer())
        if stored.DataLength():
            constants[number] = _values(tensor, stored.DataAsNumpy())
    kinds = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
    options = {value: name for name, value in vars(tflite.BuiltinOptions).items() if isinstance(value, int)}
    operations = []
    for k in range(graph.OperatorsLength()):
        operator = graph.Operators(k)
        code = model.OperatorCodes(operator.OpcodeIndex())
        found, kind = {}, options[operator.BuiltinOptionsType()]
        if kind != "NONE":
            table = getattr(tflite, kind)()
            table.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
            found = {name: getattr(table, name)() for name in _OPTIONS if hasattr(table, name)}
        operations.append(
            Operation(
                kinds[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())],
                tuple(operator.Inputs(i) for i in range(operator.InputsLength())),
                operator.Outputs(0),
                found,
            )
        )
    return Graph(
        tuple(_shape(tensor) for tensor in tensors),
        constants,
        tuple(operations),
        tuple(graph.Inputs(i) for i in range(graph.InputsLength())),
        tuple(graph.Outputs(i) for i in range(graph.OutputsLength())),
    )


def _shape(tensor) -> tuple[int, ...]:
    return tuple(tensor.Shape(i) for i in range(tensor.ShapeLength()))


def _values(tensor, raw: np.ndarray) -> np.ndarray:
    """A constant's numbers: float32, or integers that are not quantised as they are."""
    import tflite

    kinds = tflite.TensorType
    stored = {
        kinds.FLOAT32: np.float32, kinds.FLOAT16: np.float16, kinds.INT32: np.int32, kinds.INT64: np.int64,
        kinds.UINT8: np.uint8, kinds.INT8: np.int8, kinds.BOOL: np.bool_,
    }  # fmt: skip
    values = raw.view(stored[tensor.Type()]).reshape(_shape(tensor))
    quantised = tensor.Quantization()
    if values.dtype in (np.uint8, np.int8) and quantised is not None and quantised.ScaleLength():
        scale = quantised.ScaleAsNumpy()
        zero = quantised.ZeroPointAsNumpy() if quantised.ZeroPointLength() else np.zeros(1)
        if not np.any(zero):  # symmetric: int8 whatever the type says (old converters wrote uint8)
            values = values.view(np.int8)
        along = [1] * values.ndim
        if len(scale) > 1:  # one scale a channel
            along[quantised.QuantizedDimension()] = -1
        values = (values.astype(np.float32) - zero.reshape(along if len(zero) > 1 else ())) * scale.reshape(
            along if len(scale) > 1 else ()
        )
    return np.array(values, np.float32 if values.dtype.kind == "f" else values.dtype)
