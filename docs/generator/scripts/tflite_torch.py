"""A TFLite graph as a torch module, so that gradients run through it.

Enough for MediaPipe's face mesh and blendshapes (fp16 constants behind DEQUANTIZE) and for facex' MobileNetV2 (weights quantised to 8 bit, typed uint8 with zero
point 0: they hold int8). Needs the package `tflite` (the format's schema). NHWC as in the file, NCHW around convolutions alone.
"""
import numpy as np
import tflite
import torch
from tflite.BuiltinOperator import BuiltinOperator
from torch import nn
from torch.nn import functional as F

NAMES = {v: k for k, v in vars(BuiltinOperator).items() if isinstance(v, int)}
DTYPES = {0: np.float32, 1: np.float16, 2: np.int32, 3: np.uint8, 4: np.int64, 9: np.int8}
OPTIONS = {                                             # builtin options that matter, by operator
    "CONV_2D": (tflite.Conv2DOptions, dict(pad="Padding", stride=("StrideH", "StrideW"), act="FusedActivationFunction")),
    "DEPTHWISE_CONV_2D": (tflite.DepthwiseConv2DOptions, dict(pad="Padding", stride=("StrideH", "StrideW"), act="FusedActivationFunction")),
    "MAX_POOL_2D": (tflite.Pool2DOptions, dict(pad="Padding", stride=("StrideH", "StrideW"), size=("FilterHeight", "FilterWidth"))),
    "AVERAGE_POOL_2D": (tflite.Pool2DOptions, dict(pad="Padding", stride=("StrideH", "StrideW"), size=("FilterHeight", "FilterWidth"))),
    "ADD": (tflite.AddOptions, dict(act="FusedActivationFunction")), "MUL": (tflite.MulOptions, dict(act="FusedActivationFunction")), "SUB": (tflite.SubOptions, dict(act="FusedActivationFunction")),
    "FULLY_CONNECTED": (tflite.FullyConnectedOptions, dict(act="FusedActivationFunction")), "MEAN": (tflite.ReducerOptions, dict(keep="KeepDims")), "SUM": (tflite.ReducerOptions, dict(keep="KeepDims")),
    "CONCATENATION": (tflite.ConcatenationOptions, dict(axis="Axis")), "STRIDED_SLICE": (tflite.StridedSliceOptions, dict(begin="BeginMask", end="EndMask", shrink="ShrinkAxisMask")),
}


def activation(x, kind):
    return F.relu(x) if kind == 1 else x.clamp(0, 6) if kind == 3 else x


def same(x, size, stride):
    """Padding SAME as TensorFlow does it: the odd pixel goes right and below."""
    pads = []
    for n, k, s in ((x.shape[-1], size[1], stride[1]), (x.shape[-2], size[0], stride[0])):
        total = max((-(-n // s) - 1) * s + k - n, 0)
        pads += [total // 2, total - total // 2]
    return pads


class Graph(nn.Module):
    """forward(*inputs) -> list of outputs; logits=True leaves the last softmax out."""

    def __init__(self, path, logits=False):
        super().__init__()
        model = tflite.Model.GetRootAs(open(path, "rb").read(), 0)
        graph = model.Subgraphs(0)
        self.contiguous = False                           # layout of the convolutions' input: whatever is faster on the device
        self.logits, self.steps, tensors = logits, [], [graph.Tensors(i) for i in range(graph.TensorsLength())]
        for i, t in enumerate(tensors):
            raw = model.Buffers(t.Buffer()).DataAsNumpy()
            if isinstance(raw, np.ndarray) and raw.size: self.register_buffer(f"c{i}", torch.from_numpy(self._values(t, raw)))
        # integers as Python lists, once: reading them off the GPU in every pass would wait for it
        self.lists = {i: b.reshape(-1).tolist() for i in range(len(tensors)) if (b := getattr(self, f"c{i}", None)) is not None and not b.is_floating_point() and b.numel() < 100}
        self.inputs = [graph.Inputs(i) for i in range(graph.InputsLength())]
        self.outputs = [graph.Outputs(i) for i in range(graph.OutputsLength())]
        self.shapes = {i: tuple(int(n) for n in t.ShapeAsNumpy()) if t.ShapeLength() else () for i, t in enumerate(tensors)}
        for k in range(graph.OperatorsLength()):
            op = graph.Operators(k)
            code = model.OperatorCodes(op.OpcodeIndex())
            name = NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            options = {}
            if name in OPTIONS:
                kind, wanted = OPTIONS[name]
                o = kind(); o.Init(op.BuiltinOptions().Bytes, op.BuiltinOptions().Pos)
                options = {key: tuple(getattr(o, g)() for g in get) if isinstance(get, tuple) else getattr(o, get)() for key, get in wanted.items()}
            self.steps.append((name, [op.Inputs(j) for j in range(op.InputsLength())], op.Outputs(0), options))

    @staticmethod
    def _values(t, raw):
        v = raw.view(DTYPES[t.Type()]).reshape(t.ShapeAsNumpy() if t.ShapeLength() else ())
        q = t.Quantization()
        if t.Type() in (3, 9) and q and q.ScaleLength():
            scale, zero = q.ScaleAsNumpy(), np.asarray(q.ZeroPointAsNumpy() if q.ZeroPointLength() else np.zeros(1))
            if t.Type() == 3 and not zero.any(): v = v.view(np.int8)
            shape = [1] * v.ndim
            if len(scale) > 1: shape[q.QuantizedDimension()] = -1
            v = (v.astype(np.float32) - zero.astype(np.float32).reshape(shape if len(zero) > 1 else ())) * scale.reshape(shape if len(scale) > 1 else ())
        return v.astype(np.float32) if v.dtype == np.float16 else v.copy()

    def batched(self, x):
        """For graphs whose reshapes hold one sample only (the blendshapes): (N, ...) by vmap."""
        return torch.vmap(lambda sample: self(sample[None])[0])(x)

    def forward(self, *xs):
        value, n = dict(zip(self.inputs, xs)), xs[0].shape[0]
        get = lambda i: value[i] if i in value else getattr(self, f"c{i}")
        for name, i, out, o in self.steps:
            x = get(i[0])
            if name == "DEQUANTIZE": y = x.float()
            elif name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
                x, w = x.permute(0, 3, 1, 2), get(i[1])
                w, groups = (w.permute(0, 3, 1, 2), 1) if name == "CONV_2D" else (w.permute(3, 0, 1, 2), x.shape[1])
                if o["pad"] == 0: x = F.pad(x, same(x, w.shape[-2:], o["stride"]))
                if self.contiguous: x = x.contiguous()
                bias = get(i[2]) if len(i) > 2 and i[2] >= 0 else None
                y = activation(F.conv2d(x, w, bias, o["stride"], groups=groups), o["act"]).permute(0, 2, 3, 1)
            elif name in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
                x = x.permute(0, 3, 1, 2)
                if name == "MAX_POOL_2D" and o["pad"] == 0: x = F.pad(x, same(x, o["size"], o["stride"]), value=-1e9)
                y = (F.max_pool2d if name == "MAX_POOL_2D" else F.avg_pool2d)(x, o["size"], o["stride"]).permute(0, 2, 3, 1)
            elif name == "PRELU": y = torch.where(x > 0, x, x * get(i[1]))
            elif name in ("ADD", "SUB", "MUL"): y = activation({"ADD": torch.add, "SUB": torch.sub, "MUL": torch.mul}[name](x, get(i[1])), o["act"])
            elif name == "SQUARED_DIFFERENCE": y = (x - get(i[1])) ** 2
            elif name == "DIV": y = x / get(i[1])
            elif name == "NEG": y = -x
            elif name == "SQRT": y = x.sqrt()
            elif name == "RSQRT": y = x.rsqrt()
            elif name == "RELU": y = F.relu(x)
            elif name == "LOGISTIC": y = x.sigmoid()
            elif name == "SOFTMAX": y = x if self.logits else x.softmax(-1)
            elif name in ("SUM", "MEAN"): y = getattr(x, name.lower())(self.lists[i[1]], keepdim=bool(o["keep"]))
            elif name == "PAD": y = F.pad(x, [p for pair in reversed(list(zip(self.lists[i[1]][::2], self.lists[i[1]][1::2]))) for p in pair])
            elif name == "TRANSPOSE": y = x.permute(self.lists[i[1]])
            elif name == "RESHAPE": s = self.shapes[out]; y = x.reshape([n, *s[1:]] if s and s[0] == 1 and x.shape[0] == n else s)
            elif name == "FULLY_CONNECTED": y = activation(F.linear(x.reshape(-1, get(i[1]).shape[1]), get(i[1]), get(i[2]) if len(i) > 2 and i[2] >= 0 else None), o["act"])
            elif name == "CONCATENATION": y = torch.cat([get(j) if get(j).shape[0] == n or n == 1 else get(j).expand(n, *get(j).shape[1:]) for j in i], o["axis"])
            elif name == "STRIDED_SLICE":
                begin, end, step = (self.lists[j] for j in i[1:4])
                y = x[tuple(slice(None if d == 0 or o["begin"] >> d & 1 else begin[d], None if d == 0 or o["end"] >> d & 1 else end[d], step[d]) for d in range(x.dim()))]
                for d in reversed(range(len(begin))):
                    if o["shrink"] >> d & 1: y = y.squeeze(d)
            else: raise NotImplementedError(name)
            value[out] = y
        return [value[i] for i in self.outputs]
