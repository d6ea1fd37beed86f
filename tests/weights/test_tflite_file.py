import zipfile

import flatbuffers
import numpy as np
import pytest
import tflite

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.weights.tflite_file import read_graph


def vector(builder, start, values, add):
    start(builder, len(values))
    for value in reversed(values):
        add(value)
    return builder.EndVector()


def written(constants, fused=1):
    """A file whose network adds its constants to one another: (type, array, scales, zero points) each."""
    b = flatbuffers.Builder(1024)
    buffers, tensors = [], []
    for number, (kind, values, scales, zeros) in enumerate(constants):
        data = b.CreateNumpyVector(np.frombuffer(values.tobytes(), np.uint8))
        tflite.BufferStart(b)
        tflite.BufferAddData(b, data)
        buffers.append(tflite.BufferEnd(b))
        shape = b.CreateNumpyVector(np.array(values.shape, np.int32))
        scale, zero = b.CreateNumpyVector(np.float32(scales)), b.CreateNumpyVector(np.int64(zeros))
        tflite.QuantizationParametersStart(b)
        tflite.QuantizationParametersAddScale(b, scale)
        tflite.QuantizationParametersAddZeroPoint(b, zero)
        quantised = tflite.QuantizationParametersEnd(b)
        tflite.TensorStart(b)
        tflite.TensorAddShape(b, shape)
        tflite.TensorAddType(b, kind)
        tflite.TensorAddBuffer(b, number)
        tflite.TensorAddQuantization(b, quantised)
        tensors.append(tflite.TensorEnd(b))
    tflite.AddOptionsStart(b)
    tflite.AddOptionsAddFusedActivationFunction(b, fused)
    options = tflite.AddOptionsEnd(b)
    inputs = b.CreateNumpyVector(np.arange(len(constants), dtype=np.int32))
    outputs = b.CreateNumpyVector(np.zeros(1, np.int32))
    tflite.OperatorStart(b)
    tflite.OperatorAddInputs(b, inputs)
    tflite.OperatorAddOutputs(b, outputs)
    tflite.OperatorAddBuiltinOptionsType(b, tflite.BuiltinOptions.AddOptions)
    tflite.OperatorAddBuiltinOptions(b, options)
    operator = tflite.OperatorEnd(b)
    found = vector(b, tflite.SubGraphStartTensorsVector, tensors, b.PrependUOffsetTRelative)
    steps = vector(b, tflite.SubGraphStartOperatorsVector, [operator], b.PrependUOffsetTRelative)
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, found)
    tflite.SubGraphAddOperators(b, steps)
    tflite.SubGraphAddOutputs(b, outputs)
    graph = tflite.SubGraphEnd(b)
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddBuiltinCode(b, tflite.BuiltinOperator.ADD)
    code = tflite.OperatorCodeEnd(b)
    codes = vector(b, tflite.ModelStartOperatorCodesVector, [code], b.PrependUOffsetTRelative)
    graphs = vector(b, tflite.ModelStartSubgraphsVector, [graph], b.PrependUOffsetTRelative)
    stored = vector(b, tflite.ModelStartBuffersVector, buffers, b.PrependUOffsetTRelative)
    tflite.ModelStart(b)
    tflite.ModelAddOperatorCodes(b, codes)
    tflite.ModelAddSubgraphs(b, graphs)
    tflite.ModelAddBuffers(b, stored)
    b.Finish(tflite.ModelEnd(b), b"TFL3")
    return bytes(b.Output())


def test_constants_are_multiplied_out_whatever_they_are_stored_as(tmp_path):
    kinds = tflite.TensorType
    eight = np.array([[1, 255], [127, 128]], np.uint8)
    path = tmp_path / "a.tflite"
    path.write_bytes(
        written(
            [
                (kinds.UINT8, eight, [0.5], [0]),  # symmetric: the bytes are signed, whatever the type says
                (kinds.UINT8, eight, [0.5], [128]),
                (kinds.INT8, eight.view(np.int8), [0.5, 2], [0, 0]),  # a scale a row
                (kinds.FLOAT16, np.array([1.5], np.float16), [], []),
                (kinds.INT32, np.array([3, 4], np.int32), [], []),
            ]
        )
    )
    graph = read_graph(path)
    assert [graph.constants[i].tolist() for i in range(5)] == [
        [[0.5, -0.5], [63.5, -64]],
        [[-63.5, 63.5], [-0.5, 0]],
        [[0.5, -0.5], [254, -256]],
        [1.5],
        [3, 4],
    ]
    assert [graph.constants[i].dtype for i in (0, 3, 4)] == [np.float32, np.float32, np.int32]
    assert graph.operations[0].kind == "ADD" and graph.operations[0].options == {"FusedActivationFunction": 1}
    assert graph.operations[0].inputs == (0, 1, 2, 3, 4) and graph.outputs == (0,) and graph.shapes[0] == (2, 2)


def test_a_bundle_of_several(tmp_path):
    data = written([(tflite.TensorType.INT32, np.array([7], np.int32), [], [])])
    with zipfile.ZipFile(tmp_path / "a.task", "w") as bundle:
        bundle.writestr("first.tflite", data)
    assert read_graph(tmp_path / "a.task", "first.tflite").constants[0].tolist() == [7]
    with pytest.raises(FersynError, match="a.task: second.tflite cannot be read"):
        read_graph(tmp_path / "a.task", "second.tflite")


@pytest.mark.parametrize("content", [b"", b"no TFLite file at all", b"\x1c\0\0\0TFL3" + b"\xff" * 40])
def test_something_else(tmp_path, content):
    (tmp_path / "a.tflite").write_bytes(content)
    with pytest.raises(FersynError, match="a.tflite cannot be read"):
        read_graph(tmp_path / "a.tflite")


def test_missing_weights_and_other_files():
    with pytest.raises(FersynError, match="facex are not on this machine; fersyn weights fetch facex"):
        weights.graph("facex")
    with pytest.raises(FersynError, match="dlib file, no graph of TFLite"):
        weights.graph("dlib-face")
