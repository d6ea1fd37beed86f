"""Draws the line between children and adults in fersyn/generating/casting.yaml: ``python scripts/child_line.py``

Two populations of the generator were looked at, neutral, at 120 px, and told by eye; whoever was in doubt is left out. A
logistic regression on dlib's descriptors learns from them. Prints what cross-validation finds and writes the file.
"""

from pathlib import Path

import numpy as np
import torch
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from fersyn.faces.crop import crop_face
from fersyn.generating import casting, portrait
from fersyn.nets.dlib_face import describe
from fersyn.pixels import to_bytes, to_images

THRESHOLD = -0.25
# seed, people, truncation; whom the eye took for a child; who was in doubt
POPULATIONS = (
    (
        (31337, 160, 0.75),
        (3, 5, 6, 8, 21, 27, 31, 34, 39, 44, 60, 67, 70, 72, 86, 97, 102, 108, 111, 146),
        (2, 12, 14, 37, 57, 71, 74, 115, 137, 153),
    ),
    (
        (41414, 240, 0.8),
        (
            11,
            33,
            63,
            65,
            67,
            70,
            98,
            128,
            130,
            143,
            150,
            168,
            181,
            186,
            191,
            200,
            201,
            204,
            210,
            221,
            224,
            228,
            232,
            237,
        ),
        (5, 12, 16, 18, 25, 35, 38, 69, 73, 76, 85, 86, 90, 99, 101, 105, 121, 129, 136, 149, 154, 157, 159, 161, 162)
        + (197, 199, 222),
    ),
)


def descriptors(seed: int, people: int, truncation: float) -> np.ndarray:
    """Neutral faces of a population: (people, 128)."""
    generator, mapper = portrait.makers()
    found = []
    for index in range(people):
        z = torch.randn(1, generator.width, generator=torch.Generator().manual_seed(1000 * seed + index))
        with torch.inference_mode():
            layers = mapper.edit(generator.sample(z, truncation), "neutral")
            picture = to_images(to_bytes(generator.synthesise(layers, portrait.SIZE, draft=True)))[0]
        face = crop_face(picture)
        found.append(describe([face.crop], [face.landmarks])[0])
    return np.array(found)


def main() -> None:
    """Learn, print and write."""
    faces, child = [], []
    for population, children, doubtful in POPULATIONS:
        sure = np.setdiff1d(np.arange(population[1]), doubtful)
        faces.append(descriptors(*population)[sure])
        child.append(np.isin(sure, children))
    faces, child = np.concatenate(faces), np.concatenate(child)
    line = LogisticRegression(class_weight="balanced", max_iter=2000)
    folds = StratifiedKFold(10, shuffle=True, random_state=0)
    beyond = cross_val_predict(line, faces, child, cv=folds, method="decision_function") > THRESHOLD
    print(f"{child.sum()} children, {beyond[child].mean():.3f} beyond the line; {(~child).sum()} adults, "
          f"{beyond[~child].mean():.3f} beyond it")  # fmt: skip
    line.fit(faces, child)
    content = {"weights": line.coef_[0].round(3).tolist(), "bias": round(float(line.intercept_[0]), 3)}
    text = yaml.safe_dump({"child": {**content, "threshold": THRESHOLD}}, width=120, default_flow_style=None)
    head = "# Of dlib's descriptor: above the threshold a face counts as a child's (scripts/child_line.py).\n"
    Path(casting.__file__).with_suffix(".yaml").write_text(head + text, encoding="utf-8")


if __name__ == "__main__":
    main()
