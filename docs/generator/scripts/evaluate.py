"""Figures and contact sheets of a mapper on people of a seed that it never saw. fer, facex, actions, SFace, dlib guided it (but for ablations): no judges, marked in the card."""
import io, json

import numpy as np
import torch
from PIL import Image

from guides import ACTIONS, CLASSES
from mapper import EXPRESSIONS, GAIN, NONE

SEED, PSI = 777_000, 0.7
ORDER = ["anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"]
SHEET = "browInnerUp browDownLeft browOuterUpRight eyeBlinkLeft eyeSquintLeft eyeWideLeft noseSneerLeft mouthSmileLeft mouthFrownLeft mouthPucker mouthStretchLeft mouthUpperUpLeft jawOpen".split()
IOD = 0.244


def picture(x): return ((x.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).cpu().numpy()


def sheet(path, rows, quality=85):
    Image.fromarray(np.concatenate([np.concatenate([picture(x) for x in r], 1) for r in rows])).save(path, quality=quality)


def jpeg(x, quality=93):
    f = io.BytesIO(); Image.fromarray(picture(x)).save(f, "JPEG", quality=quality); return np.frombuffer(f.getvalue(), np.uint8)


@torch.no_grad()
def evaluate(t, people=100, keep=48):
    from train import LEFT, RIGHT, look, opening

    gen, guides, m, device = t.gen, t.guides, t.mapper, t.device
    w, sample = t.people(people, SEED, PSI, PSI)
    n = len(w)

    def render(e, s, actions=None, rows=slice(None)):
        parts = []
        for k in range(0, n, 64):
            ww = w[k : k + 64]
            parts.append(gen(m.edit(ww, e, s, None if actions is None else actions[k : k + 64]), half=t.half))
        return torch.cat(parts)

    neutral = render("neutral", 1.0)
    base = look(guides, neutral)
    first = look(guides, sample)
    share = lambda f, c: round((f.argmax(1) == c).float().mean().item(), 3)
    found = {"people": n, "neutral": dict(fer=share(base["fer"], 6), facex=share(base["facex"], 6), dlib_to_sample=round((base["dlib"] - first["dlib"]).norm(dim=1).mean().item(), 3),
             sample_fer=share(first["fer"], 6), eyes=round((opening(base["points"]) / opening(first["points"])).mean().item(), 3))}
    shown, kept = {}, {"sample": sample, "neutral": neutral}
    d = t.manners.mean
    strengths = (0.25, 0.5, 0.75, 1.0, 1.3)
    for e in ORDER:
        k = EXPRESSIONS.index(e)
        row, progress = {}, [torch.zeros(n, device=device)]
        usable = t.weight * d[k]
        for s in strengths:
            x = render(e, s)
            q = look(guides, x)
            progress.append(((q["actions"] - base["actions"]) * usable).sum(1) / (usable * d[k]).sum() / GAIN)
            if s == 1.0: kept[e] = x
            shown[e, s] = x[:12]
            moved = (q["points"] - base["points"])[:, :, :2]
            left, right = moved[:, LEFT].mean(1), moved[:, RIGHT].mean(1)
            r = dict(dlib=round((q["dlib"] - base["dlib"]).norm(dim=1).mean().item(), 3), dlib_above_05=round(((q["dlib"] - base["dlib"]).norm(dim=1) > 0.5).float().mean().item(), 3),
                     sface=round((q["sface"] * base["sface"]).sum(1).mean().item(), 3), eyes=round((opening(q["points"]) / opening(base["points"])).mean().item(), 3),
                     progress=round(progress[-1].mean().item(), 3), rank1=round((torch.cdist(q["dlib"], base["dlib"]).argmin(1) == torch.arange(n, device=device)).float().mean().item(), 3),
                     corner=round(((right[:, 1] - left[:, 1]) / IOD).mean().item(), 4), outside=round((x - neutral).abs().mean(1)[:, :60].mean().item(), 4))
            if e == "contempt": r |= dict(fer_happy=share(q["fer"], 3), facex_happy=share(q["facex"], 3), fer={c: share(q["fer"], i) for i, c in enumerate(CLASSES)}, facex={c: share(q["facex"], i) for i, c in enumerate(CLASSES)})
            else:
                c = CLASSES.index(e)
                r |= dict(fer=share(q["fer"], c), facex=share(q["facex"], c))
            row[str(s)] = r
        p = torch.stack(progress, 1).cpu().numpy()
        ranks = p.argsort(1).argsort(1).astype(float); true = np.arange(p.shape[1])
        row["rank_correlation"] = round(float(np.mean([np.corrcoef(a, true)[0, 1] for a in ranks])), 3)
        found[e] = row
    six = [e for e in ORDER if e != "contempt"]
    found["mean"] = {str(s): {k: round(float(np.mean([found[e][str(s)][k] for e in (six if k in ("fer", "facex") else ORDER)])), 3) for k in ("fer", "facex", "dlib", "dlib_above_05", "sface", "rank1")} for s in strengths}
    print("neutral", found["neutral"])
    for e in ORDER: print(f"{e:10s}", "rank", found[e]["rank_correlation"], *(f"| {s}: " + " ".join(f"{k}={v}" for k, v in found[e][str(s)].items() if k in ("fer", "facex", "dlib", "sface", "eyes", "progress", "corner", "fer_happy", "facex_happy")) for s in (0.5, 1.0, 1.3)))
    print("mean", found["mean"], flush=True)
    (t.out / "metrics.json").write_text(json.dumps(found, indent=1))
    rows = [[sample[i], neutral[i], *(kept[e][i] for e in ORDER)] for i in range(min(12, n))]
    sheet(t.out / "sheet.jpg", rows)
    sliders, tiles = {}, []
    few = min(24, n)
    w, keep_w = w[:few], w
    n = few
    for i in range(1, 52):
        v = torch.zeros(few, 52, device=device); v[:, i] = 0.5
        x = gen(m.edit(w, "none", 1.0, v), half=t.half)
        q = look(guides, x)
        moved = q["actions"] - base["actions"][:few]
        other = moved.mean(0).clone(); other[i] = 0; other[0] = 0
        j = int(other.abs().argmax())
        sliders[ACTIONS[i]] = [round(moved[:, i].mean().item(), 3), ACTIONS[j], round(other[j].item(), 3)]
        if ACTIONS[i] in SHEET: tiles.append(x[:3])
    n, w = len(keep_w), keep_w
    found["sliders_at_0.5"] = sliders
    (t.out / "metrics.json").write_text(json.dumps(found, indent=1))
    small = torch.nn.functional.avg_pool2d
    sheet(t.out / "more.jpg", [[small(y[None].float(), 2)[0] for y in r] for r in
          [[neutral[i], *(shown[e, s][i] for s in (0.5, 1.3) for e in ORDER)] for i in range(min(6, n))] + [[*(tile[min(i, len(tile) - 1)] for tile in tiles), sample[0], neutral[0]] for i in range(min(3, few))]])
    if keep:
        np.savez(t.out / "faces.npz", **{f"{name}_{i:03d}": jpeg(x[i]) for name, x in kept.items() for i in range(min(keep, n))}, w=keep_w.cpu().numpy())
    t.say(evaluated=n)
