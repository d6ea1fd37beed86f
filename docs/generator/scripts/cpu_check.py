"""The mapper on people of the held-out seed, on two cores: dlib's own descriptors on dlib's own chips, the judges at fixed crops, the head against the averaged picture, times.

python cpu_check.py DELIVER OUT [people]
"""
import json, sys, time
from pathlib import Path

import dlib, face_recognition_models as frm, numpy as np, torch

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "carry/site")]
from evaluate import ORDER, PSI, picture, sheet
from generator import Generator
from guides import CLASSES, Guides
from head import Head, planes, scales, sharpness
from mapper import Mapper

deliver, out, n = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 24
torch.set_num_threads(2)
gen, guides, m = Generator(HERE / "carry/generator.safetensors"), Guides(HERE / "carry"), Mapper.load(deliver / "mapper.safetensors")
head = Head.load(deliver / "head.safetensors"); head.planes.copy_(planes(gen)); head.fold()
find, predict, net = dlib.get_frontal_face_detector(), dlib.shape_predictor(frm.pose_predictor_model_location()), dlib.face_recognition_model_v1(frm.face_recognition_model_location())


def descriptor(x):
    image = np.ascontiguousarray(picture(x))
    boxes = find(image, 1)
    return np.array(net.compute_face_descriptor(image, predict(image, max(boxes, key=lambda b: b.area())))) if boxes else None


rows, found, pairs = [], [], []
with torch.no_grad():
    r = torch.Generator().manual_seed(20_261_127)
    while len(rows) < n:
        w = m.mean + PSI * (gen.mapping(torch.randn(1, 512, generator=r)) - m.mean)
        neutral = gen(m.edit(w, "neutral"))
        p, presence = guides.points(neutral)
        turned = float(((p[:, 4, 0] - (p[:, 234, 0] + p[:, 454, 0]) / 2) / (p[:, 454, 0] - p[:, 234, 0])).abs())
        own = descriptor(neutral[0])
        if turned > 0.11 or presence < 5 or own is None: continue
        row, one = [gen(m.mean + (w - m.mean))[0] if len(rows) < 12 else neutral[0], neutral[0]], dict(own=own.tolist(), neutral=[CLASSES[guides.fer(neutral).argmax()], CLASSES[guides.facex(neutral).argmax()]])
        for e in ORDER:
            wp = m.edit(w, e)
            f = gen(wp, stop=128)
            x = gen(wp, features=f, start=128)
            y = head(f, scales(gen, wp))
            d = descriptor(x[0])
            one[e] = dict(fer=CLASSES[guides.fer(x).argmax()], facex=CLASSES[guides.facex(x).argmax()], fer_head=CLASSES[guides.fer(y).argmax()], facex_head=CLASSES[guides.facex(y).argmax()],
                          dlib=None if d is None else float(np.linalg.norm(d - own)), d=None if d is None else d.tolist(), psnr=float(10 * torch.log10(4 / (x.clamp(-1, 1) - y.clamp(-1, 1)).square().mean())), sharp=float(sharpness(y.clamp(-1, 1)) / sharpness(x.clamp(-1, 1))))
            row.append(x[0])
            pairs.append((x[0], y[0]))
        rows.append(row); found.append(one)
        (out / "cpu.json").write_text(json.dumps(found))
        if len(rows) in (6, 12): sheet(out / "cpu_sheet.jpg", rows); sheet(out / "heads.jpg", [[v for q in pairs[k : k + 4] for v in q] for k in (0, 7, 14, 21)], 90)
    times = dict(level128=[], head=[], full=[])
    wp = m.edit(w, "fear")
    for _ in range(6):
        t = time.time(); f = gen(wp, stop=128); times["level128"].append(time.time() - t)
        t = time.time(); head(f, scales(gen, wp)); times["head"].append(time.time() - t)
        t = time.time(); gen(wp, features=f, start=128); times["full"].append(time.time() - t)
base = np.array([o["own"] for o in found])
summary = dict(people=len(found), neutral={j: float(np.mean([o["neutral"][k] == "neutral" for o in found])) for k, j in enumerate(("fer", "facex"))}, seconds={k: min(v) for k, v in times.items()})
for e in ORDER:
    q = [o[e] for o in found]
    d = [v["dlib"] for v in q if v["dlib"] is not None]
    right = [np.linalg.norm(base - np.array(v["d"]), axis=1).argmin() == i for i, v in enumerate(q) if v["d"]]
    summary[e] = {k: float(np.mean([v[k] == (e if e in CLASSES else "happiness") for v in q])) for k in ("fer", "facex", "fer_head", "facex_head")} | dict(dlib=float(np.mean(d)), above_05=float(np.mean(np.array(d) > 0.5)), rank1=float(np.mean(right)), undetected=len(q) - len(d), psnr=float(np.mean([v["psnr"] for v in q])), psnr_min=float(np.min([v["psnr"] for v in q])), sharp=float(np.mean([v["sharp"] for v in q])))
print(json.dumps(summary, indent=1)); (out / "cpu_summary.json").write_text(json.dumps(summary, indent=1))
