"""Inversion: a 256 px picture in the generator's frame -> w+ (23 styles), learnt from the generator's own samples, plain and expressive. No photograph is used.

w+ = a base w, the same for all styles, + an offset per style out of a small basis; all in units of the mapper's basis. Losses: the code itself; the generator's
features of the 64 px level, so that codes that look alike count as alike.

python encoder.py --out OUT --minutes 2 --mapper mapper.safetensors
"""
import argparse, json, sys, time
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "carry/site")]
from generator import Generator
from head import Codes
from mapper import Mapper


class Block(nn.Module):
    def __init__(self, i, o, stride=1):
        super().__init__()
        self.a, self.b = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.na, self.nb = nn.BatchNorm2d(o), nn.BatchNorm2d(o)
        self.skip = nn.Sequential() if i == o and stride == 1 else nn.Sequential(nn.AvgPool2d(stride), nn.Conv2d(i, o, 1, bias=False))

    def forward(self, x): return F.leaky_relu(self.skip(x) + self.nb(self.b(F.leaky_relu(self.na(self.a(x)), 0.2))), 0.2)


class Encoder(nn.Module):
    def __init__(self, rank=48, code=256):
        super().__init__()
        self.config = dict(rank=rank, code=code)
        self.body = nn.Sequential(nn.PixelUnshuffle(4), nn.Conv2d(48, 48, 3, 1, 1), nn.LeakyReLU(0.2), Block(48, 64), Block(64, 96, 2), Block(96, 96), Block(96, 160, 2), Block(160, 160), Block(160, 256, 2), nn.Conv2d(256, 64, 1), nn.Flatten())
        self.first, self.norm = nn.Linear(4096, 2 * code), nn.BatchNorm1d(2 * code)
        self.base = nn.Linear(2 * code, 512)
        self.own = nn.Linear(2 * code, 23 * rank)
        self.basis = nn.Parameter(0.05 * torch.randn(23, rank, 512))
        for name, shape in dict(mean=(512,), sd=(512,), axes=(512, 512)).items(): self.register_buffer(name, torch.zeros(shape))

    def white(self, x):
        h = F.leaky_relu(self.norm(self.first(self.body(x))), 0.2)
        return self.base(h)[:, None] + torch.einsum("nsr,srd->nsd", self.own(h).view(len(x), 23, -1), self.basis)

    def forward(self, x): return self.mean + (self.white(x) * self.sd) @ self.axes

    def save(self, path, **about):
        save_file({k: (v.half() if v.is_floating_point() else v).cpu().contiguous() for k, v in self.state_dict().items()}, str(path), {k: json.dumps(v) for k, v in dict(config=self.config, **about).items()})

    @classmethod
    def load(cls, path):
        with safe_open(str(path), "pt") as f:
            e = cls(**json.loads(f.metadata()["config"]))
            e.load_state_dict({k: v.float() if v.is_floating_point() else v for k in f.keys() for v in [f.get_tensor(k)]})
        return e.eval()


def disturb(x):
    """Light, colour, focus, noise: what photographs have and samples lack."""
    n = len(x)
    u = lambda a, b, c=1: torch.empty(n, c, 1, 1, device=x.device).uniform_(a, b)
    y = x * u(0.9, 1.1) * u(0.96, 1.04, 3) + u(-0.06, 0.06)
    if torch.rand(()) < 0.4: y = F.avg_pool2d(F.pad(y, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return (y + u(0, 0.04) * torch.randn_like(y)).clamp(-1.05, 1.05)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--out", required=True); p.add_argument("--minutes", type=float, default=2); p.add_argument("--mapper", required=True)
    p.add_argument("--batch", type=int, default=48); p.add_argument("--steps", type=int, default=0); p.add_argument("--seed", type=int, default=11); p.add_argument("--rate", type=float, default=1.5e-3)
    a = p.parse_args()
    torch.manual_seed(a.seed)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    half = torch.bfloat16 if device.type == "cuda" else None
    out = Path(a.out); out.mkdir(parents=True, exist_ok=True)
    gen = Generator(HERE / "carry/generator.safetensors").to(device).requires_grad_(False)
    mapper = Mapper.load(a.mapper).to(device).requires_grad_(False)
    codes, e = Codes(gen, mapper, device), Encoder().to(device)
    for k in ("mean", "sd", "axes"): getattr(e, k).copy_(getattr(mapper, k))
    opt = torch.optim.AdamW(e.parameters(), lr=a.rate, betas=(0.9, 0.99), weight_decay=0.01)
    begun, step = time.time(), 0
    size = mapper.sd[None, None] / mapper.sd[0]
    importance = size / size.mean()                       # axes along which w hardly varies hardly show
    while (t := (time.time() - begun) / (60 * a.minutes)) < 1 and (not a.steps or step < a.steps):
        with torch.no_grad():
            wp = codes.draw(a.batch, 0.5, 0.9)
            f = gen(wp, stop=64)
            x = gen(wp, features=f, start=64, half=half).clamp(-1, 1)
            true = ((wp - e.mean) @ e.axes.t()) / e.sd
        found = e.white(disturb(x))
        code = (importance * (found - true) ** 2).mean()
        g = gen(e.mean + (found * e.sd) @ e.axes, stop=64)
        feature = ((g - f).abs().mean((1, 2, 3)) / f.std((1, 2, 3))).mean()
        loss = code + 2.0 * feature
        opt.zero_grad(set_to_none=True); loss.backward()
        torch.nn.utils.clip_grad_norm_(e.parameters(), 1.0)
        for q in opt.param_groups: q["lr"] = a.rate * min(1, (step + 1) / 50) * (1 if t < 0.3 else 0.03 + 0.97 * (0.5 + 0.5 * np.cos(np.pi * (t - 0.3) / 0.7)))
        opt.step(); step += 1
        if step % 50 == 1: print(json.dumps(dict(encoder=step, t=round(t, 3), code=round(code.item(), 4), feature=round(feature.item(), 4), of=round((importance * true**2).mean().item(), 4))), flush=True)
    e.eval()
    with torch.no_grad():
        torch.manual_seed(99)
        wp = codes.draw(4 if a.steps else 24, 0.6, 0.8)
        x = gen(wp, half=half); y = gen(e(x.clamp(-1, 1)), half=half)
        found = dict(steps=step, psnr=float((10 * torch.log10(4 / (y - x).square().mean((1, 2, 3)))).mean()), psnr_of_mean=float((10 * torch.log10(4 / (gen(e.mean[None], half=half) - x).square().mean((1, 2, 3)))).mean()))
        print(json.dumps(found), flush=True)
        e.save(out / "encoder.safetensors", metrics=found)
        (out / "encoder.json").write_text(json.dumps(found, indent=1))
        from evaluate import sheet
        sheet(out / "encoder.jpg", [[x[i] for i in range(min(8, len(x)))], [y[i] for i in range(min(8, len(x)))]], 90)


if __name__ == "__main__":
    main()
