"""The guided mapper: where in W+ of MobileStyleGAN-FFHQ each expression and each facial action lies, person by person.

w+ = w + neutral(w) + strength x expression(w) + actions(w): offsets of the ten styles FIRST..LAST-1 (levels of 8 to 64 px), in units of the basis (principal
axes of w and their deviations), so that a penalty on their square keeps to what FFHQ holds. Hair, light, background and fine texture keep the person's own styles.
"""
import json

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

EXPRESSIONS = ["anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "none"]
NEUTRAL, CONTEMPT, NONE = 7, 1, 8
FIRST, LAST = 3, 13
GAIN = 1.3                                                # strength 1.0 means 1.3 times the displacement of openpeople's people


class Mapper(nn.Module):
    """forward(white, expression, strength, actions) -> offsets (N, levels, 512) in units of the basis.

    white (N, 512): w in units of the basis; expression (N,) long, 8 = none; strength (N,) 0 to 1.3; actions (N, 52): displacements of the actions that are
    wanted beside the expression's own (a manner: GAIN x strength x (d - mean d of the expression); a slider: the displacement itself). All zero at strength 0
    and actions 0. The neutral offset is the expression 7 at strength 1.
    """

    def __init__(self, rank=48, hidden=256, action_rank=96):
        super().__init__()
        levels, wide = LAST - FIRST, (LAST - FIRST) * 512
        self.config = dict(rank=rank, hidden=hidden, action_rank=action_rank)
        self.base = nn.Parameter(torch.zeros(8, levels, 512))                    # the same for all people
        self.curve = nn.Parameter(torch.zeros(8, levels, 512))                   # and what bends it between strength 0 and 1
        self.person = nn.Linear(512, 2 * hidden)                                 # half for neutral, which stays as it is while the rest learns
        self.heads, self.neutral_head = nn.Linear(hidden, 7 * rank), nn.Linear(hidden, rank)
        self.basis = nn.Parameter(0.002 * torch.randn(8, rank, wide))            # what this person's w asks for
        self.action = nn.Parameter(torch.zeros(52, wide))
        self.action_in = nn.Linear(52, action_rank, bias=False)
        self.action_gate = nn.Linear(hidden, action_rank)
        self.action_basis = nn.Parameter(0.002 * torch.randn(action_rank, wide))
        for h in (self.heads, self.neutral_head): nn.init.normal_(h.weight, std=0.02); nn.init.zeros_(h.bias)
        for name, shape in dict(mean=(512,), sd=(512,), axes=(512, 512), manner_mean=(9, 52)).items(): self.register_buffer(name, torch.zeros(shape))

    def white(self, w):
        return ((w - self.mean) @ self.axes.t()) / self.sd

    def forward(self, white, expression, strength, actions):
        n, levels = len(white), LAST - FIRST
        hidden, calm = F.leaky_relu(self.person(0.1 * white), 0.2).chunk(2, 1)
        known = (expression != NONE).float()
        e = expression.clamp_max(7)
        own = torch.cat([self.heads(hidden), self.neutral_head(calm)], 1).view(n, 8, -1)[torch.arange(n, device=white.device), e]
        offset = torch.zeros(n, levels * 512, device=white.device)
        for k in e.unique().tolist():                                            # a product per expression: no copy of the basis per sample
            rows = (e == k).nonzero()[:, 0]
            offset = offset.index_copy(0, rows, own[rows] @ self.basis[k])
        offset = offset.view(n, levels, 512) + self.base[e] + (strength - 1)[:, None, None] * self.curve[e]
        coefficient = self.action_in(actions) * (1 + torch.tanh(self.action_gate(hidden)))
        return (known * strength)[:, None, None] * offset + (actions @ self.action + coefficient @ self.action_basis).view(n, levels, 512)

    def styles(self, w, offsets):
        """w (N, 512) or W+ (N, 23, 512) + offsets -> W+ (N, 23, 512)."""
        wp = w[:, None].expand(-1, 23, -1) if w.dim() == 2 else w
        return torch.cat([wp[:, :FIRST], wp[:, FIRST:LAST] + (offsets * self.sd) @ self.axes, wp[:, LAST:]], 1)

    def edit(self, w, expression, strength=1.0, actions=None, neutralise=1.0):
        """w (N, 512), names or indexes of expressions, strength, wanted displacements of actions -> W+: first neutral, then moved."""
        n, z = len(w), torch.zeros(len(w), 52, device=w.device)
        index = [EXPRESSIONS.index(e) if isinstance(e, str) else int(e) for e in (expression if isinstance(expression, (list, tuple)) else [expression] * n)]
        e = torch.tensor(index, device=w.device)
        s = torch.as_tensor(strength, device=w.device, dtype=torch.float32).expand(n)
        white = self.white(w)
        offset = neutralise * self(white, torch.full_like(e, NEUTRAL), torch.ones_like(s), z)
        moved = self(white, torch.where(e == NEUTRAL, torch.full_like(e, NONE), e), s, z if actions is None else actions)
        return self.styles(w, offset + moved)

    def save(self, path, half=True, **about):
        t = {k: (v.half() if half else v.float()).cpu().contiguous() for k, v in self.state_dict().items()}
        save_file(t, str(path), {k: json.dumps(v) for k, v in dict(config=self.config, expressions=EXPRESSIONS, first=FIRST, last=LAST, gain=GAIN, **about).items()})

    @classmethod
    def load(cls, path):
        with safe_open(str(path), "pt") as f:
            m = cls(**json.loads(f.metadata()["config"]))
            m.load_state_dict({k: f.get_tensor(k).float() for k in f.keys()})
        return m
