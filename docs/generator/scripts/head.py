"""A small convolutional head: features of the 128 px level -> the 256 px picture (1024 px averaged), distilled from the generator's own upper levels.

The upper levels are steered by their styles and hold fixed noise, so the head gets both: the generator's own scales of its styles 16 to 22 modulate its blocks,
and the noise maps of the levels of 256 and 512 px enter as constant planes. A linear head knows neither: that is why it stays at 22 to 28 dB.

python head.py --out OUT --minutes 2 [--mapper mapper.safetensors] [--init head.safetensors]
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
from generator import Generator, idwt, pointwise

SCALES = 736                                             # 256 + 64 + 128 + 128 + 32 + 64 + 64


def scales(gen, wp):
    """The generator's own modulation of the levels above 128 px: (N, 736)."""
    return torch.cat([wp[:, i] @ getattr(gen, f"A_{i}").t() + getattr(gen, f"a_{i}") for i in range(16, 23)], 1)


def planes(gen):
    """The fixed noise of the levels of 256 and 512 px, folded to 128 px: (1, 40, 128, 128)."""
    return torch.cat([F.pixel_unshuffle(getattr(gen, f"N_{i}"), f) for i, f in ((11, 2), (12, 2), (13, 4), (14, 4))], 1)


class Head(nn.Module):
    def __init__(self, width=96, blocks=3, fine=16):
        super().__init__()
        self.config = dict(width=width, blocks=blocks, fine=fine)
        self.first = nn.Parameter(torch.randn(width, 256, 1, 1) / 16)
        self.steer = nn.Linear(SCALES, width * (2 * blocks + 1) + 3 * fine)
        nn.init.zeros_(self.steer.weight); nn.init.zeros_(self.steer.bias)
        self.spread = nn.ParameterList([nn.Parameter(0.3 * torch.randn(width, 1, 3, 3)) for _ in range(blocks)])
        self.inner = nn.ParameterList([nn.Parameter(torch.randn(width, width, 1, 1) / width**0.5) for _ in range(blocks)])
        self.outer = nn.ParameterList([nn.Parameter(0.3 * torch.randn(width, width, 1, 1) / width**0.5) for _ in range(blocks)])
        self.noise = nn.ParameterList([nn.Parameter(torch.zeros(width, 40, 1, 1)) for _ in range(blocks)])
        self.bias = nn.ParameterList([nn.Parameter(torch.zeros(1, width, 1, 1)) for _ in range(blocks)])
        self.split = nn.Parameter(torch.randn(4 * fine, width, 1, 1) / width**0.5)
        self.fine = nn.Parameter(0.3 * torch.randn(fine, 1, 3, 3)); self.fine_bias = nn.Parameter(torch.zeros(1, fine, 1, 1))
        self.mix = nn.Parameter(torch.randn(fine, fine, 1, 1) / fine**0.5)
        self.last = nn.Parameter(torch.randn(3, 2 * fine, 1, 1) * 0.1 / fine**0.5)
        self.register_buffer("planes", torch.zeros(1, 40, 128, 128), persistent=False)      # the generator's own: planes(gen)
        self.register_buffer("centre", torch.zeros(SCALES)); self.register_buffer("spread_of", torch.ones(SCALES))

    def fold(self):
        """Constants of the noise, once, for use."""
        with torch.no_grad(): self.constant = [pointwise(self.planes, n) + b for n, b in zip(self.noise, self.bias)]
        return self

    def forward(self, features, scales):
        """features (N, 256, 128, 128), scales (N, 736) -> picture (N, 3, 256, 256)."""
        s = self.steer((scales - self.centre) / self.spread_of)
        w, b = self.config["width"], self.config["blocks"]
        parts = s[:, : w * (2 * b + 1)].view(len(s), 2 * b + 1, w, 1, 1)
        f = s[:, w * (2 * b + 1) :].view(len(s), 3, -1, 1, 1)
        x = pointwise(features * scales[:, :256, None, None], self.first) * (1 + parts[:, 0])
        for k in range(b):
            y = pointwise(F.conv2d(x, self.spread[k], padding=1, groups=w), self.inner[k])
            constant = self.constant[k] if hasattr(self, "constant") else pointwise(self.planes, self.noise[k]) + self.bias[k]
            y = F.leaky_relu(y * (1 + parts[:, 2 * k + 1]) + constant, 0.2) * (1 + parts[:, 2 * k + 2])
            x = x + pointwise(y, self.outer[k])
        x = idwt(pointwise(x, self.split)) * (1 + f[:, 0])
        y = F.leaky_relu(pointwise(F.conv2d(x, self.fine, padding=1, groups=x.shape[1]), self.mix) * (1 + f[:, 1]) + self.fine_bias + f[:, 2], 0.2)
        return pointwise(torch.cat([x, y], 1), self.last)

    def save(self, path, **about):
        t = {k: v.half().cpu().contiguous() for k, v in self.state_dict().items()}
        save_file(t, str(path), {k: json.dumps(v) for k, v in dict(config=self.config, **about).items()})

    @classmethod
    def load(cls, path):
        with safe_open(str(path), "pt") as f:
            h = cls(**json.loads(f.metadata()["config"]))
            h.load_state_dict({k: f.get_tensor(k).float() for k in f.keys() if k != "planes"})
        return h


def laplacian(x):
    g = (x * torch.tensor([0.299, 0.587, 0.114], device=x.device)[:, None, None]).sum(1, keepdim=True) * 127.5
    k = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]], device=x.device)[None, None]
    return F.conv2d(g, k)


def sharpness(x):
    """Variance of the Laplacian inside the face, by picture."""
    return laplacian(x)[:, :, 90:230, 70:186].flatten(1).var(1)


class Codes:
    """W+ codes: half plain people, half mapped to expressions and actions (or, without a mapper, moved at random in the basis)."""

    def __init__(self, gen, mapper, device):
        self.gen, self.m, self.device = gen, mapper, device
        w = gen.mapping(torch.randn(8000, 512, device=device))
        self.mean, self.sd = w.mean(0), w.std(0)

    @torch.no_grad()
    def draw(self, n, low=0.5, high=0.95):
        from train import sliders

        w = self.gen.mapping(torch.randn(n, 512, device=self.device))
        w = self.mean + (low + (high - low) * torch.rand(n, 1, device=self.device)) * (w - self.mean)
        wp = w[:, None].repeat(1, 23, 1)
        k = n // 3
        if self.m is None:
            wp[k:, 3:13] += (0.25 * self.sd * torch.randn(n - k, 10, 512, device=self.device))
        else:
            e = torch.randint(0, 9, (n - k,), device=self.device)
            wp[k:] = self.m.edit(w[k:], e.tolist(), 1.3 * torch.rand(n - k, device=self.device), sliders(n - k, self.device) * (torch.rand(n - k, 1, device=self.device) < 0.4))
        return wp


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--out", required=True); p.add_argument("--minutes", type=float, default=2); p.add_argument("--mapper"); p.add_argument("--init")
    p.add_argument("--batch", type=int, default=32); p.add_argument("--steps", type=int, default=0); p.add_argument("--seed", type=int, default=5); p.add_argument("--rate", type=float, default=2e-3)
    a = p.parse_args()
    torch.manual_seed(a.seed)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    half = torch.bfloat16 if device.type == "cuda" else None
    out = Path(a.out); out.mkdir(parents=True, exist_ok=True)
    gen = Generator(HERE / "carry/generator.safetensors").to(device).requires_grad_(False)
    mapper = None
    if a.mapper:
        from mapper import Mapper
        mapper = Mapper.load(a.mapper).to(device).requires_grad_(False)
    codes = Codes(gen, mapper, device)
    head = (Head.load(a.init) if a.init else Head()).to(device)
    with torch.no_grad():
        head.planes.copy_(planes(gen))
        if not a.init:
            s = scales(gen, codes.draw(512))
            head.centre.copy_(s.mean(0)); head.spread_of.copy_(3 * s.std(0).clamp_min(1e-3))
            f = gen(codes.draw(8), stop=128)
            head.first.div_(float((f * scales(gen, codes.draw(8))[:, :256, None, None]).std()))
    opt = torch.optim.Adam(head.parameters(), lr=a.rate, betas=(0.9, 0.99))
    ema = {k: v.detach().clone() for k, v in head.named_parameters()}
    begun, step = time.time(), 0

    @torch.no_grad()
    def pair(n):
        wp = codes.draw(n)
        f = gen(wp, stop=128)
        return f, scales(gen, wp), gen(wp, features=f.to(half) if half else f, start=128, half=half)

    while (t := (time.time() - begun) / (60 * a.minutes)) < 1 and (not a.steps or step < a.steps):
        f, s, x = pair(a.batch)
        y = head(f, s)
        dx = lambda v: (v[..., 1:] - v[..., :-1])
        dy = lambda v: (v[..., 1:, :] - v[..., :-1, :])
        lp, lt = laplacian(y) / 127.5, laplacian(x) / 127.5
        sharp = (torch.log((sharpness(y) + 1) / (sharpness(x) + 1))).abs().mean()
        loss = (y - x).abs().mean() + 2 * (y - x).square().mean() + 2 * (dx(y) - dx(x)).abs().mean() + 2 * (dy(y) - dy(x)).abs().mean() + 1.0 * (lp - lt).abs().mean() + 0.02 * sharp
        opt.zero_grad(set_to_none=True); loss.backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        for g in opt.param_groups: g["lr"] = a.rate * min(1, (step + 1) / 50) * (1 if t < 0.4 else 0.03 + 0.97 * (0.5 + 0.5 * np.cos(np.pi * (t - 0.4) / 0.6)))
        opt.step(); step += 1
        keep = min(0.995, step / (step + 10))
        with torch.no_grad():
            for k, v in head.named_parameters(): ema[k].lerp_(v, 1 - keep)
        if step % 50 == 1:
            print(json.dumps(dict(head=step, t=round(t, 3), loss=round(loss.item(), 4), psnr=round(10 * np.log10(4 / (y - x).square().mean().item()), 2), sharp=round((sharpness(y) / sharpness(x)).median().item(), 3))), flush=True)
    with torch.no_grad():
        for k, v in head.named_parameters(): v.copy_(ema[k])
        torch.manual_seed(99)
        n = 6 if a.steps else 64
        f, s, x = (torch.cat(p) for p in zip(*[pair(min(n, 16)) for _ in range(max(1, n // 16))]))
        y = head(f, s)
        psnr = 10 * torch.log10(4 / (y.clamp(-1, 1) - x.clamp(-1, 1)).square().mean((1, 2, 3)))
        ratio = sharpness(y.clamp(-1, 1)) / sharpness(x.clamp(-1, 1))
        found = dict(steps=step, psnr_mean=psnr.mean().item(), psnr_min=psnr.min().item(), sharpness_mean=ratio.mean().item(), sharpness_p10=ratio.quantile(0.1).item(), on=len(x))
        print(json.dumps(found), flush=True)
        head.save(out / "head.safetensors", metrics=found)
        (out / "head.json").write_text(json.dumps(found, indent=1))
        from evaluate import sheet
        sheet(out / "head.jpg", [[x[i], y[i], x[i + len(x) // 2], y[i + len(x) // 2]] for i in range(min(3, len(x) // 2))], 92)


if __name__ == "__main__":
    main()
