"""MobileStyleGAN-FFHQ (Belousov 2021) in PyTorch: z -> w, W+ (23 styles) -> picture, with gradients to W+.

Weights: `carry/generator.safetensors`, which `prepare.py` reads out of the wheel random-face 2021.7.21.1 (OpenVINO IR v10, constants only).

The 256 px picture that everything here looks at is the 1024 px picture averaged 4x4. It needs no 1024 px stage: the mean of the 2x2 block that the last
inverse Haar transform makes is half its LL band, and the last 1x1 convolution is linear, so that it can be averaged before it. Exactly equal, 1/4 of the cost.
"""
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

STYLES = 23
LEVEL_OF = {8: 4, 16: 7, 32: 10, 64: 13, 128: 16, 256: 19, 512: 22}     # level in px -> styles used when its features are there


def idwt(x):
    """Inverse Haar: (N, 4C, H, W) as LL (C), then C x (3 details) -> (N, C, 2H, 2W)."""
    n, c4, h, w = x.shape
    c = c4 // 4
    ll = x[:, :c]
    a, b, d = x[:, c:].reshape(n, c, 3, h, w).unbind(2)
    lo = torch.stack([ll + a, ll - a], 3).reshape(n, c, 2 * h, w)
    hi = torch.stack([b + d, b - d], 3).reshape(n, c, 2 * h, w)
    return torch.stack([lo + hi, lo - hi], 4).reshape(n, c, 2 * h, 2 * w) * 0.5


def pointwise(x, weight):
    """1x1 convolution as a matrix product: (N, I, H, W), (O, I, 1, 1) -> (N, O, H, W)."""
    n, c, h, w = x.shape
    return torch.matmul(weight[:, :, 0, 0].to(x.dtype), x.reshape(n, c, h * w)).reshape(n, -1, h, w)


class Generator(nn.Module):
    """mapping(z) -> w; forward(w+, stop, half) -> features of a level, or (stop=None) the 256 px picture in about [-1, 1]."""

    def __init__(self, path):
        super().__init__()
        for name, value in load_file(str(path)).items():
            self.register_buffer(name.replace(".", "_"), value.float())
        self.noise_bias = {}

    def mapping(self, z):
        z = z * torch.rsqrt((z**2).mean(1, keepdim=True) + 1e-8)
        for i in range(8):
            z = F.leaky_relu(z @ getattr(self, f"mw_{i}").t() + getattr(self, f"mb_{i}"), 0.2) * 2**0.5
        return z

    def _act(self, x, i):
        key = (i, x.dtype, x.device)
        if key not in self.noise_bias:
            self.noise_bias[key] = (getattr(self, f"N_{i}") + getattr(self, f"B_{i}")).to(x.dtype)
        return F.leaky_relu_(x.add_(self.noise_bias[key]), 0.2)

    def forward(self, wp, stop=None, half=None, features=None, start=4):
        """wp (N, 23, 512) or (N, 512). half: dtype of the levels from 128 px on. features, start: go on from the features of that level."""
        if wp.dim() == 2:
            wp = wp[:, None].expand(-1, STYLES, -1)
        style = lambda i: (wp[:, i] @ getattr(self, f"A_{i}").t() + getattr(self, f"a_{i}"))[:, :, None, None]
        if features is None:
            x = self._act(F.conv2d(style(0) * self.start, self.C_0, padding=1), 0)
            k = 1
        else:
            x, k = features, LEVEL_OF[start]
        while True:
            size = 2 * x.shape[-1]
            if size > 512:
                break
            if half and size >= 128:
                x = x.to(half)
            cast = lambda s: s.to(x.dtype)
            x = idwt(cast(style(k)) * x)
            level = (k - 1) // 3
            for j in (1, 2):
                dw, pw = getattr(self, f"C_{4 * level + 2 * j - 1}"), getattr(self, f"C_{4 * level + 2 * j}")
                m = style(k + j)
                if size < 128:
                    x = self._act(pointwise(F.conv2d(m * x, dw, padding=1, groups=x.shape[1]), pw), 2 * level + j)
                else:                                    # the style goes through the depthwise convolution into the matrix: one pass over the features less
                    x = F.conv2d(x, dw.to(x.dtype), padding=1, groups=x.shape[1])
                    n, c, h, v = x.shape
                    x = self._act(torch.bmm((pw[None, :, :, 0, 0] * m[:, None, :, 0, 0]).to(x.dtype), x.reshape(n, c, h * v)).reshape(n, -1, h, v), 2 * level + j)
            k += 3
            if size == stop:
                return x.float()
        x = F.avg_pool2d(cast(style(22)) * x, 2).float()
        return 0.5 * (pointwise(x, self.C_29[:3]) + self.B_15[:, :3])

    def full(self, wp):
        """The 1024 px picture (only for the comparison with the runtime)."""
        x = self.forward(wp, stop=512)
        wp = wp[:, None].expand(-1, STYLES, -1) if wp.dim() == 2 else wp
        return idwt(pointwise((wp[:, 22] @ self.A_22.t() + self.a_22)[:, :, None, None] * x, self.C_29) + self.B_15)
