"""Displacements of openpeople's ten people (MIT): their 52 actions and their mesh, expression against their own neutral face, in FFHQ's frame.

Writes carry/openpeople.npz: actions (10, 7, 52), shape (10, 7, 478, 2) in parts of the picture, rigidly brought onto the own neutral mesh; order of CLASSES; and
reads the judges' names of the true pictures for the record.
"""
import sys
from pathlib import Path

import cv2, dlib, face_recognition_models, numpy as np, torch

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "carry/site"), str(HERE.parent)]
from fersyn.datasets.openpeople import read_openpeople
from fersyn.datasets.photo import read_photo
from guides import CLASSES, Guides

EYES = np.float32([(0.376, 0.475), (0.620, 0.475)]) * 512
STABLE = [33, 133, 362, 263, 168, 6, 197, 195, 5]


def frame_of(image, landmarks):
    """Similarity by the centres of the eyes -> 256 px picture in FFHQ's frame."""
    a, b = landmarks[36:42].mean(0), landmarks[42:48].mean(0)
    z = complex(*(EYES[1] - EYES[0])) / complex(*(b - a))
    t = complex(*EYES[0]) - z * complex(*a)
    m = np.float32([[z.real, -z.imag, t.real], [z.imag, z.real, t.imag]])
    return cv2.resize(cv2.warpAffine(image, m, (512, 512), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE), (256, 256), interpolation=cv2.INTER_AREA)


def rigid(p, q):
    """p brought onto q by the similarity that fits the stable points."""
    a, b = p[STABLE], q[STABLE]
    a0, b0 = a.mean(0), b.mean(0)
    za, zb = (a - a0) @ [1, 1j], (b - b0) @ [1, 1j]
    z = (np.conj(za) @ zb) / (np.conj(za) @ za)
    r = ((p - a0) @ [1, 1j]) * z
    return np.stack([r.real, r.imag], 1) + b0


if __name__ == "__main__":
    torch.set_num_threads(1)
    guides = Guides(HERE / "carry")
    find, predict = dlib.get_frontal_face_detector(), dlib.shape_predictor(face_recognition_models.pose_predictor_model_location())
    pictures, labels = {}, {}
    for f in read_openpeople().frames:
        image = read_photo(f.path)
        l, t, r, b = f.tile
        image = np.ascontiguousarray(image[t:b, l:r])
        box = max(find(image, 1) or [dlib.rectangle(0, 0, image.shape[1], image.shape[0])], key=lambda b: b.area())
        points = np.float32([(p.x, p.y) for p in predict(image, box).parts()])
        pictures[f.subject, str(f.expression)] = frame_of(image, points)
    people = sorted({s for s, _ in pictures})
    x = torch.from_numpy(np.stack([pictures[s, c] for s in people for c in CLASSES])).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        points, presence = guides.points(x)
        actions = guides.actions(points)
        named = {n: (f(x).argmax(1).reshape(-1, 7) == torch.arange(7)).float().mean(0) for n, f in (("fer", guides.fer), ("facex", guides.facex))}
        e = guides.sface(x).reshape(-1, 7, 128); d = guides.dlib(x).reshape(-1, 7, 128)
    print({n: (v.numpy().round(2), float(v.mean())) for n, v in named.items()}, "presence", float(presence.min()))
    print("sface cos", (e[:, :6] * e[:, 6:]).sum(2).mean(0), "dlib", (d[:, :6] - d[:, 6:]).norm(dim=2).mean(0), CLASSES)
    points = points[..., :2].numpy().reshape(-1, 7, 478, 2)
    shape = np.stack([np.stack([rigid(points[i, k], points[i, 6]) - points[i, 6] for k in range(7)]) for i in range(len(points))])
    np.savez_compressed(HERE / "carry/openpeople.npz", actions=actions.numpy().reshape(-1, 7, 52), shape=shape.astype(np.float32))
    from guides import ACTIONS
    a = actions.numpy().reshape(-1, 7, 52); m = (a[:, :6] - a[:, 6:]).mean(0)
    for k in range(6): print(CLASSES[k], [(ACTIONS[j], round(float(m[k, j]), 2)) for j in np.argsort(-abs(m[k]))[:12]])
    for n, i in dict(brow_in_L=107, brow_in_R=336, corner_R=61, corner_L=291, lip_up=13, lip_low=14, chin=152, lid_up=159, lid_low=145, nose_wing=64).items(): print(n, {CLASSES[k]: tuple((shape[:, k, i].mean(0) * 1000).round(0)) for k in range(6)})
