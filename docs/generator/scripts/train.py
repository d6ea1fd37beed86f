"""Trains the guided mapper on the generator's own samples. No photograph is used (openpeople's displacements of actions and mesh are numbers of people who do not exist).

python train.py --out OUT --minutes 3 [--init mapper.safetensors] [--without facex|actions|identity] [--seed 1]

First neutral (most of FFHQ's people smile), then the rest against each person's own neutral picture, which is computed once for a pool of people.
Losses and what each is for are at `losses` below; weights in WEIGHTS. A metrics JSON, contact sheets and the mapper are written to OUT.
"""
import argparse, json, sys, time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "carry/site")]
from generator import Generator
from guides import ACTIONS, Guides
from mapper import CONTEMPT, EXPRESSIONS, FIRST, GAIN, LAST, NEUTRAL, NONE, Mapper

JUDGED = [0, -1, 1, 2, 3, 4, 5, 6, -1]                   # index in the judges' classes; contempt and 'none' have none
# what each is for: fer, facex: a stranger names the face; actions: each muscle as openpeople's people move it, by the strength; shape: the mesh moves as theirs does;
# corner: contempt's one lip corner; smile: contempt is not called happy; lids: eyes stay open (judges take closed eyes for sadness); sface, dlib: the person stays;
# frame: glasses neither come nor go; sliders: the action that is asked for moves, also from where the meter is dead (log scale); background, colour: nothing outside the face, no light and no skin changes; size: the codes stay where FFHQ's people are
WEIGHTS = dict(fer=0.9, facex=0.8, actions=2.0, sliders=1.5, shape=1500.0, corner=10000.0, smile=0.5, lids=6.0, sface=6.0, dlib=5.0, frame=20.0, background=10.0, colour=4.0, size=0.003)
DRAW = dict(anger=1.2, contempt=1.1, disgust=1.3, fear=1.8, happiness=0.7, sadness=1.8, surprise=0.7, neutral=0.0, none=2.2)
LIDS = torch.tensor([0.75, 0.85, 0.55, 1.0, 0.6, 0.9, 1.0, 0.9, 0.0])          # least opening of the eyes, parts of the own neutral one's
RIGHT, LEFT = [61, 185, 146, 40], [291, 409, 375, 270]   # mesh points around the lip corners, of the person
LIPS = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146, 78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95]
BROWS = [70, 63, 105, 66, 107, 55, 65, 52, 53, 46, 300, 293, 334, 296, 336, 285, 295, 282, 283, 276]
EYES = [33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7, 263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249]
NOSE = [64, 294, 98, 327, 2, 94, 48, 278, 102, 331]
A = {n: i for i, n in enumerate(ACTIONS)}


def action_weights():
    """How much a wrong action costs: lids must not close, the gaze is free."""
    weight = torch.ones(52); weight[0] = 0
    strong = ("browDown", "browInner", "browOuter", "mouthSmile", "mouthFrown", "noseSneer", "eyeWide", "mouthUpperUp", "mouthStretch", "jawOpen", "mouthShrugLower")
    for i, name in enumerate(ACTIONS):
        if name.startswith("eyeLook"): weight[i] = 0.3
        if name.startswith(strong): weight[i] = 2
        if name.startswith("eyeBlink"): weight[i] = 8
    return weight


class Manners:
    """Displacements of actions and mesh by expression: one of openpeople's people, or two mixed. Contempt has no photograph: one lip corner up and out."""

    def __init__(self, path, device):
        f = np.load(path)
        a, s = torch.from_numpy(f["actions"]).float(), torch.from_numpy(f["shape"]).float()
        self.neutral = a[:, 6].mean(0).to(device)
        d, shape = a[:, :6] - a[:, 6:], s[:, :6]
        n = len(d)
        self.d, self.shape = torch.zeros(9, n, 52), torch.zeros(9, n, 478, 2)
        blink = [A["eyeBlinkLeft"], A["eyeBlinkRight"]]
        for e, name in enumerate(EXPRESSIONS[:7]):
            if name == "contempt":
                for key, v in dict(mouthSmileLeft=0.45, mouthDimpleLeft=0.3, mouthPressLeft=0.2, eyeSquintLeft=0.1, cheekSquintLeft=0.02, mouthLeft=0.15, browOuterUpLeft=0.05).items(): self.d[e, :, A[key]] = v
                continue
            self.d[e], self.shape[e] = d[:, JUDGED[e]], shape[:, JUDGED[e]]
            if name not in ("disgust", "happiness"): self.d[e][:, blink] = self.d[e][:, blink].clamp_max(0)
        self.d[:, :, 0] = 0
        self.d, self.shape = self.d.to(device), self.shape.to(device)
        self.mean, self.n, self.device = self.d.mean(1), n, device

    def draw(self, expression):
        """-> displacements of the actions (N, 52) and of the mesh (N, 478, 2)."""
        n = len(expression)
        i, j = (torch.randint(self.n, (n,), device=self.device) for _ in range(2))
        u = torch.rand(n, device=self.device)
        u = torch.where(torch.rand(n, device=self.device) < 0.5, torch.ones_like(u), u)[:, None]
        d = u * self.d[expression, i] + (1 - u) * self.d[expression, j]
        shape = u[..., None] * self.shape[expression, i] + (1 - u)[..., None] * self.shape[expression, j]
        return d * (1 + 0.1 * torch.randn_like(d)), shape


LEFTS = [i for i, n in enumerate(ACTIONS) if n.endswith("Left")]
SWAP = torch.tensor([ACTIONS.index(n[:-4] + "Right") if n.endswith("Left") and n[:-4] + "Right" in ACTIONS else ACTIONS.index(n[:-5] + "Left") if n.endswith("Right") else i for i, n in enumerate(ACTIONS)])


def sliders(n, device):
    """One to three wanted displacements of single actions, mostly both sides alike."""
    v = torch.zeros(n, 52, device=device)
    rows = torch.arange(n, device=device)
    swap = SWAP.to(device)
    for k in range(3):
        on = (torch.rand(n, device=device) < (1.0, 0.4, 0.2)[k]).float()
        i = torch.randint(1, 52, (n,), device=device)
        amount = on * (0.15 + 0.75 * torch.rand(n, device=device)) * torch.where(torch.rand(n, device=device) < 0.12, -1.0, 1.0)
        v[rows, i] = v[rows, i] + amount
        both = (torch.rand(n, device=device) < 0.5) & (swap[i] != i)
        v[rows, swap[i]] = torch.where(both, v[rows, i], v[rows, swap[i]])
    return v.clamp(-0.9, 0.9)


def face_mask(size, device):
    y, x = torch.meshgrid(torch.linspace(0, 1, size, device=device), torch.linspace(0, 1, size, device=device), indexing="ij")
    return torch.sigmoid((1 - (((x - 0.5) / 0.30) ** 2 + ((y - 0.60) / 0.38) ** 2).sqrt()) * 18)


FRAME = [(0.45, 0.55, 0.44, 0.50), (0.25, 0.33, 0.42, 0.53), (0.67, 0.75, 0.42, 0.53), (0.31, 0.45, 0.51, 0.57), (0.55, 0.69, 0.51, 0.57)]      # bridge, temples, lower rims


def frame_change(x, before):
    """Edges where glasses sit and faces hardly move: how much of them comes or goes (N,)."""
    total = 0
    for x0, x1, y0, y1 in FRAME:
        size = x.shape[-1]
        cut = lambda v: F.avg_pool2d(v[:, :, int(y0 * size) : int(y1 * size), int(x0 * size) : int(x1 * size)].mean(1, keepdim=True), 2)
        edge = lambda v: torch.cat([F.avg_pool2d((v[..., 1:] - v[..., :-1]).abs(), (3, 3), 2).flatten(1), F.avg_pool2d((v[..., 1:, :] - v[..., :-1, :]).abs(), (3, 3), 2).flatten(1)], 1)
        total = total + (edge(cut(x)) - edge(cut(before))).abs().mean(1)
    return total / len(FRAME)


def opening(p):
    """Mesh (N, 478, >=2) -> opening of the two eyes over their width (N,)."""
    d = lambda i, j: (p[:, i, :2] - p[:, j, :2]).norm(dim=1)
    return 0.5 * (d(159, 145) / d(33, 133) + d(386, 374) / d(263, 362))


def look(guides, x, size=64):
    """What the losses need of a picture that others are compared with."""
    parts = []
    for c in x.split(size):
        c = c.float()
        p, presence = guides.points(c)
        parts.append(dict(points=p, presence=presence, actions=guides.actions(p), sface=guides.sface(c), dlib=guides.dlib(c), fer=guides.fer(c), facex=guides.facex(c)))
    return {k: torch.cat([q[k] for q in parts]) for k in parts[0]}


def losses(guides, x, expression, strength, target, shape, reference, weight, asked, side):
    """By sample. target (N, 52): actions wanted; shape (N, 478, 2): displacement of the mesh wanted; reference: the same person before; asked: sliders' weight; side: contempt's."""
    device = x.device
    judged = torch.tensor(JUDGED, device=device)[expression]
    sure = (judged >= 0).float() * ((strength - 0.4) / 0.5).clamp(0, 1)                  # weak expressions need not convince anybody
    scorn = (expression == CONTEMPT).float()
    person = (0.3 + 0.7 * strength.clamp(0, 1))                                         # the less it moves, the more it is the same person

    def margin(logits, wanted):
        own = logits.gather(1, judged.clamp_min(0)[:, None])[:, 0]
        rest = logits.scatter(1, judged.clamp_min(0)[:, None], -1e4).logsumexp(1)
        v = F.relu(wanted - own + rest)
        return sure * torch.where(v < 10, v, 10 + 0.15 * (v - 10))              # a face that is far off pulls, but does not drown the others

    def smile(logits): return scorn * F.relu(1.5 + logits[:, 3] - logits[:, [0, 1, 2, 4, 5, 6]].logsumexp(1)).clamp_max(8)

    points, _ = guides.points(x)
    moved = (points - reference["points"])[:, :, :2]
    gap = (moved - shape) ** 2
    wanted = torch.tensor([0.014, -0.022], device=device) * strength[:, None, None]
    left = ((moved[:, LEFT] - wanted) ** 2).sum(2).mean(1) + (moved[:, RIGHT] ** 2).sum(2).mean(1)
    mirrored = wanted * torch.tensor([-1.0, 1.0], device=device)
    right = ((moved[:, RIGHT] - mirrored) ** 2).sum(2).mean(1) + (moved[:, LEFT] ** 2).sum(2).mean(1)
    known = (expression != NONE) & (expression != NEUTRAL)
    region = lambda i: gap[:, i].sum(2).mean(1)
    mask = face_mask(x.shape[-1], device)
    lid = LIDS.to(device)[expression]
    lid = lid + (1 - lid) * (1 - strength.clamp(0, 1)) * (lid > 0)
    before = opening(reference["points"])
    guides_actions, far = guides.actions(points), (guides.dlib(x, 0.01) - reference["dlib"]).norm(dim=1)
    f1, f2, x1 = guides.fer(x, 0.05), guides.fer(x, 0.05), guides.facex(x, 0.05)
    return dict(
        fer=(margin(f1, 3.0) + margin(f2, 3.0)) / 2,
        facex=margin(x1, 3.0),
        smile=smile(f1) + smile(x1),
        actions=((weight + asked) * (guides_actions - target) ** 2).sum(1),
        shape=known.float() * (region(BROWS) + region(EYES) * 0.7 + region(NOSE) * 0.5 + (1 - scorn) * region(LIPS)),
        corner=scorn * torch.where(side > 0, left, right),
        lids=F.relu(lid - opening(points) / before.clamp_min(0.05)) * (lid > 0),
        sface=F.relu(1 - (guides.sface(x, 0.01) * reference["sface"]).sum(1) - 0.05 - 0.15 * person),
        sliders=(asked.gt(0) * ((guides_actions.clamp_min(0) + 1e-3).log() - (target + 1e-3).log()).square() / 9).sum(1),
        dlib=F.relu(far - 0.31 * person) + 2 * F.relu(far - 0.42),                      # openpeople's true pictures: 0.37; above 0.5 a face is refused
        frame=frame_change(x, reference["picture"]),
        background=((x - reference["picture"]).abs().mean(1) * (1 - mask)).mean((1, 2)),
        colour=F.avg_pool2d((x - reference["picture"]) * mask, 16).abs().mean((1, 2, 3)),
    )


class Trainer:
    def __init__(self, a):
        self.a, self.started = a, time.time()
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(a.seed)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        self.out = Path(a.out); self.out.mkdir(parents=True, exist_ok=True)
        self.gen = Generator(HERE / "carry/generator.safetensors").to(self.device).requires_grad_(False)
        self.guides = Guides(HERE / "carry").to(self.device)
        self.manners = Manners(HERE / "carry/openpeople.npz", self.device)
        self.half = torch.bfloat16 if self.device.type == "cuda" else None
        self.weight = action_weights().to(self.device)
        self.weights = dict(WEIGHTS) | json.loads(a.weights or "{}")
        for name in a.without:
            for k in dict(facex=["facex"], actions=["actions", "shape"], identity=["sface", "dlib"]).get(name, [name]): self.weights[k] = 0.0
        self.draw_weights = torch.tensor([(dict(DRAW) | json.loads(a.draw or "{}"))[e] for e in EXPRESSIONS], device=self.device)
        self.mapper = (Mapper.load(a.init) if a.init else Mapper()).to(self.device)
        if not a.init: self.basis()
        self.log_file = open(self.out / "log.jsonl", "a")
        self.say(device=str(torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"), weights=self.weights, args=vars(a))

    def say(self, **what):
        line = json.dumps(dict(t=round(time.time() - self.started, 1)) | {k: round(v, 4) if isinstance(v, float) else v for k, v in what.items()})
        print(line, flush=True); self.log_file.write(line + "\n"); self.log_file.flush()

    def tune(self, n):
        """Chooses the faster layout for the TFLite graphs on this device, and says where the time goes."""
        if self.device.type != "cuda": return
        x = torch.rand(n, 3, 256, 256, device=self.device).mul(2).sub(1).requires_grad_()
        def clock(f):
            for k in range(2):
                torch.cuda.synchronize(); t = time.time()
                f().sum().backward()
                torch.cuda.synchronize()
            return time.time() - t
        g, took = self.guides, {}
        for name, net, f in (("facex", g.facex_net, lambda: g.facex(x, 0.05)), ("mesh", g.mesh, lambda: g.points(x)[0])):
            for net.contiguous in (False, True): took[f"{name}_{net.contiguous}"] = clock(f)
            net.contiguous = took[f"{name}_True"] < took[f"{name}_False"]
        p = torch.rand(n, 478, 3, device=self.device, requires_grad=True)
        w = self.mapper.mean.expand(n, 23, 512).clone().requires_grad_()
        took |= dict(fer=clock(lambda: g.fer(x, 0.05)), sface=clock(lambda: g.sface(x, 0.01)), dlib=clock(lambda: g.dlib(x, 0.01)), actions=clock(lambda: g.actions(p)), generator=clock(lambda: self.gen(w, half=self.half)))
        self.say(clock={k: round(v, 4) for k, v in took.items()})

    @torch.no_grad()
    def basis(self):
        n = 60000 if self.device.type == "cuda" else 4000
        w = torch.cat([self.gen.mapping(torch.randn(4000, 512, device=self.device)) for _ in range(n // 4000)])
        m = self.mapper
        m.mean.copy_(w.mean(0))
        value, vector = torch.linalg.eigh(torch.cov((w - m.mean).t()).double())
        m.axes.copy_(vector.flip(1).t()); m.sd.copy_(value.flip(0).clamp_min(1e-12).sqrt())
        m.sd.clamp_min_(float(m.sd[0]) * 1e-3)
        m.manner_mean.copy_(self.manners.mean)

    @torch.no_grad()
    def people(self, n, seed, low=0.6, high=0.85):
        """w of n people that face the camera: sampled, rendered, looked at."""
        r = torch.Generator().manual_seed(seed)
        m, keep, size = self.mapper, [], min(128, self.a.batch * 2)
        while sum(len(k[0]) for k in keep) < n:
            w = self.gen.mapping(torch.randn(size, 512, generator=r).to(self.device))
            psi = (low + (high - low) * torch.rand(size, 1, generator=r)).to(self.device)
            w = m.mean + psi * (w - m.mean)
            x = self.gen(w, half=self.half)
            p, presence = self.guides.points(x)
            turned = ((p[:, 4, 0] - (p[:, 234, 0] + p[:, 454, 0]) / 2) / (p[:, 454, 0] - p[:, 234, 0])).abs()
            ok = (presence > 5) & (turned < 0.11) & (opening(p) > 0.14)
            keep.append((w[ok], x[ok].half() if self.half else x[ok]))
        return tuple(torch.cat(k)[:n] for k in zip(*keep))

    def pool(self, w, x):
        found = {k: v for k, v in self.chunks(x).items()}
        return dict(w=w, picture=x) | found

    @torch.no_grad()
    def chunks(self, x): return look(self.guides, x)

    @torch.no_grad()
    def neutral_pool(self, pool):
        """Every person's neutral picture by the mapper as it is; those that both judges call neutral."""
        m, z = self.mapper, torch.zeros
        parts = []
        for w in pool["w"].split(64):
            e = torch.full((len(w),), NEUTRAL, device=self.device)
            o = m(m.white(w), e, z(len(w), device=self.device) + 1, z(len(w), 52, device=self.device))
            x = self.gen(m.styles(w, o), half=self.half)
            parts.append((w, o, x.half() if self.half else x))
        w, o, x = (torch.cat(p) for p in zip(*parts))
        new = self.pool(w, x) | dict(offset=o)
        ok = (new["fer"].softmax(1)[:, 6] > 0.4) & (new["facex"].softmax(1)[:, 6] > 0.4) if "facex" not in self.a.without else new["fer"].softmax(1)[:, 6] > 0.4
        self.say(neutral_fer=(new["fer"].argmax(1) == 6).float().mean().item(), neutral_facex=(new["facex"].argmax(1) == 6).float().mean().item(), kept=ok.float().mean().item(),
                 dlib=(new["dlib"] - pool["dlib"]).norm(dim=1).mean().item())
        if ok.float().mean() < 0.3: ok[:] = True
        return {k: v[ok] for k, v in new.items()}

    def run(self, stage, pool, minutes, lr_scale=1.0):
        a, m = self.a, self.mapper
        train = {"neutral": NEUTRAL}.get(stage)
        rates = {"base": 0.03, "curve": 0.01, "action": 1e-2}
        groups = {}
        for name, p in m.named_parameters(): groups.setdefault(rates.get(name, 1.5e-3) * lr_scale, []).append(p)
        opt = torch.optim.Adam([dict(params=p, lr=r, base=r) for r, p in groups.items()], betas=(0.9, 0.99))
        ema = {k: v.detach().clone() for k, v in m.named_parameters()}
        begun, step, mean, saved = time.time(), 0, {}, time.time()
        index_all = torch.arange(9, device=self.device)
        while (t := (time.time() - begun) / (60 * minutes)) < 1 and (not a.steps or step < a.steps):
            n = a.batch
            i = torch.randint(len(pool["w"]), (n,), device=self.device)
            reference = {k: pool[k][i].float() for k in ("points", "actions", "sface", "dlib", "picture")}
            w = pool["w"][i]
            white = m.white(w)
            side = torch.ones(n, device=self.device)
            asked, shape = torch.zeros(n, 52, device=self.device), torch.zeros(n, 478, 2, device=self.device)
            if train == NEUTRAL:
                e, s, act = torch.full((n,), NEUTRAL, device=self.device), torch.ones(n, device=self.device), torch.zeros(n, 52, device=self.device)
                target = self.manners.neutral.expand(n, 52).clone()
                for k in ACTIONS:
                    if k.startswith("eyeLook"): target[:, A[k]] = reference["actions"][:, A[k]]
                    if k.startswith("eyeBlink"): target[:, A[k]] = reference["actions"][:, A[k]].clamp_max(0.25)
                    if k.startswith(("eyeSquint", "brow")): target[:, A[k]] = torch.minimum(reference["actions"][:, A[k]], self.manners.neutral[A[k]] + 0.1)
            else:
                share = self.draw_weights / self.draw_weights.sum() * n                  # equal parts, the rest by chance
                counts = (share + torch.rand(9, device=self.device)).floor().long()
                e = torch.repeat_interleave(index_all, counts)
                if len(e) < n: e = torch.cat([e, torch.full((n - len(e),), NONE, device=self.device)])
                e = e[torch.randperm(len(e), device=self.device)[:n]]
                s = torch.where(torch.rand(n, device=self.device) < 0.35, torch.ones(n, device=self.device), 0.1 + 1.2 * torch.rand(n, device=self.device))
                d, shape = self.manners.draw(e)
                flip = (e == CONTEMPT) & (torch.rand(n, device=self.device) < 0.3)       # contempt on the other side: asked for by the manner
                d = torch.where(flip[:, None], d[:, SWAP.to(self.device)], d)
                side = torch.where(flip, -1.0, 1.0)
                known = (e != NONE).float()[:, None]
                act = GAIN * s[:, None] * (d - self.manners.mean[e]) * known
                extra = sliders(n, self.device) * ((e == NONE) | (torch.rand(n, device=self.device) < 0.1)).float()[:, None]
                target = (reference["actions"] + GAIN * s[:, None] * d * known + extra).clamp(0, 1)
                shape = 1.15 * s[:, None, None] * shape * (extra.abs().sum(1) == 0).float()[:, None, None]
                act, asked = act + extra, 5.0 * (extra.abs() > 0)
            offset = m(white, e, s, act)
            x = self.gen(m.styles(w, offset + (0 if train == NEUTRAL else pool["offset"][i])), half=self.half)
            parts = losses(self.guides, x, e, s, target, shape, reference, self.weight, asked, side)
            parts["size"] = offset.pow(2).sum((1, 2))
            loss = sum(self.weights[k] * v for k, v in parts.items()).mean()
            opt.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(m.parameters(), 5.0)
            rate = min(1, (step + 1) / 20) * (1 if t < 0.3 else 0.05 + 0.95 * (0.5 + 0.5 * np.cos(np.pi * (t - 0.3) / 0.7)))
            for g in opt.param_groups: g["lr"] = g["base"] * rate
            opt.step()
            step += 1
            keep = min(0.995, step / (step + 10))
            with torch.no_grad():
                names, values = zip(*m.named_parameters())
                torch._foreach_lerp_([ema[k] for k in names], [v.detach() for v in values], 1 - keep)
            if step % 20 == 1 or step < 3:
                self.say(stage=stage, step=step, part=round(t, 3), loss=loss.item(), **{k: float(v.detach().mean()) * self.weights[k] for k, v in parts.items()})
            if step % 100 == 0:
                by = {EXPRESSIONS[k]: {q: round(float(parts[q].detach()[e == k].mean()), 3) for q in ("fer", "facex", "actions", "dlib")} for k in e.unique().tolist()}
                self.say(by=by, finite=bool(torch.isfinite(loss)))
            if time.time() - saved > 45:
                saved = time.time(); self.save(ema)
        with torch.no_grad():
            for k, v in m.named_parameters(): v.copy_(ema[k])
        self.say(stage=stage, done=step, seconds=time.time() - begun, memory=torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0)
        self.steps = step

    def save(self, values=None):
        now = {k: v.detach().clone() for k, v in self.mapper.named_parameters()}
        with torch.no_grad():
            if values:
                for k, v in self.mapper.named_parameters(): v.copy_(values[k])
            self.mapper.save(self.out / "mapper.safetensors", weights=self.weights, without=self.a.without, draw=self.draw_weights.tolist(), seed=self.a.seed)
            for k, v in self.mapper.named_parameters(): v.copy_(now[k])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--out", required=True); p.add_argument("--minutes", type=float, default=3.0); p.add_argument("--neutral", type=float, default=0.6, help="minutes of them for neutral (0: keep init's)")
    p.add_argument("--init"); p.add_argument("--without", nargs="*", default=[]); p.add_argument("--weights"); p.add_argument("--draw"); p.add_argument("--rate", type=float, default=1.0)
    p.add_argument("--batch", type=int, default=96); p.add_argument("--pool", type=int, default=3000); p.add_argument("--steps", type=int, default=0); p.add_argument("--seed", type=int, default=1)
    p.add_argument("--people", type=int, default=100); p.add_argument("--keep", type=int, default=48)
    a = p.parse_args()
    t = Trainer(a)
    try: t.tune(a.batch)
    except Exception as error: print("tune:", error)
    w, x = t.people(a.pool, 1000 + a.seed)
    t.say(people=len(w))
    pool = t.pool(w, x)
    t.say(pool="seen")
    if a.neutral: t.run("neutral", pool, a.neutral, a.rate)
    pool = t.neutral_pool(pool)
    # from here no sample asks for neutral: its rows get no gradient and stay as they are, so the pool's neutral pictures stay true
    t.run("expressions", pool, a.minutes - a.neutral, a.rate)
    t.save()
    from evaluate import evaluate
    try:
        evaluate(t, a.people, a.keep)
    except Exception:                                     # what was learnt is saved already
        import traceback; traceback.print_exc()


if __name__ == "__main__":
    main()
