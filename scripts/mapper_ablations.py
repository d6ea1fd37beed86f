"""Trains the ablations of the mapper, equally and shortly, and measures them: the table of notebook 08.

    python scripts/mapper_ablations.py RUNS --openpeople data/laptop/openpeople --rendered data/laptop/rendered

All begin with the neutral face of the kit's mapper, and so only what is asked of expressions differs; neutral faces are not
counted. Some minutes a mapper on one core. Writes fersyn/figures/generator.yaml; what is trained already is not trained again.
"""

import argparse
import time
from pathlib import Path

import torch
import yaml

from fersyn import methods
from fersyn.evaluation import judging, population
from fersyn.evaluation.fidelity import train_judge
from fersyn.evaluation.scores import Scores, summarise
from fersyn.figures.generator import UNTRAINED
from fersyn.reporting.project import commit
from fersyn.table import FaceTable
from fersyn.training import loop

FILE = Path(__file__).parents[1] / "fersyn" / "figures" / "generator.yaml"
# SFace alone holds the person, so that dlib measures as a stranger.
BUDGET = ("steps=40", "neutral_steps=0", "batch=6", "people=24", "ema=0.9", "weight_identity=11", "weight_dlib=0")
FULL, ALIKE = "full", "full, one way for all people"
SEED, TRUNCATION, EPOCHS = 41, 0.75, 30

options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
options.add_argument("runs", type=Path)
options.add_argument("--openpeople", type=Path, required=True)
options.add_argument("--rendered", type=Path, required=True)
options.add_argument("--people", type=int, default=16)
asked = options.parse_args()

method, photographs = methods.get("expression-mapper"), FaceTable.open(asked.openpeople)
mappers, seconds = {}, []
for name, changes in {FULL: (), **UNTRAINED}.items():
    config = method.preset("laptop").with_settings((*BUDGET, *changes))
    start = time.process_time()
    run = loop.train(method, config, photographs, asked.runs / name, resume=True, samples_every=config.steps)
    seconds.append(time.process_time() - start)
    mappers |= population.mappers([run], SEED, TRUNCATION)
    mappers[name].guides = method.guides(config.replace(neutral_steps=1))  # of what is counted
generator, kits = population.makers()
z = torch.randn(population.MEANT, generator.width, generator=torch.Generator().manual_seed(SEED))
alike = mappers[FULL].alike(generator.sample(z, TRUNCATION))
mappers = {FULL: mappers[FULL], ALIKE: alike, **{name: mappers[name] for name in UNTRAINED}}
found = population.draw(mappers, asked.people, SEED, TRUNCATION)
judge = train_judge(FaceTable.open(asked.rendered), EPOCHS)
named = population.named(found, judge).rows
named = judging.by_expression(Scores(named[named["expression"] != "neutral"]))
parts = [named[named["expression"] == judging.ALL]]
parts += [summarise(scores) for scores in (population.identity(found), population.contempt(found, judge))]
rows = []
for row in (row for part in parts for row in part.to_dict("records")):
    kept = {key: round(float(row[key]), 4) for key in ("value", "low", "high")}
    rows.append({"method": row["method"], "metric": row["metric"], **kept, "guide": bool(row.get("guide") is True)})
about = {
    "date": time.strftime("%Y-%m-%d"),
    "commit": commit(),
    "people": asked.people,
    "seed": SEED,
    "budget": " ".join(BUDGET),
}
FILE.write_text(
    "# Written by scripts/mapper_ablations.py.\n"
    + yaml.safe_dump({**about, "rows": rows}, sort_keys=False, width=130, default_flow_style=None)
)
print(f"{sum(seconds):.0f} s of one core for {len(seconds)} trainings")
