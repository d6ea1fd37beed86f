"""Scales single expressions of a mapper, and adds single actions to them. Nothing is learnt; the file says what was done.

    python gains.py mapper.safetensors out.safetensors anger=1.2 contempt=1.3 contempt+mouthPressLeft=0.6

`anger=1.2`: strength 1 is what 1.2 was, and so at every strength: with the way s (B + (s - 1) C) at strength s the gain g makes
B' = g B + (g^2 - g) C, C' = g^2 C. `contempt+mouthPressLeft=0.6`: the action's way, in the mean over 500 people, is added to B.
"""

import json
import sys

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from fersyn.nets import expression_mapper, generators
from fersyn.nets.expression_mapper import MOVED, NONE, sliders

source, target, *asked = sys.argv[1:]
generator = generators.get()
mapper, rows = expression_mapper.get(generator, source), [*MOVED, "neutral"]
with safe_open(source, "pt") as file:
    about = dict(file.metadata())
if "gains" in about:
    sys.exit(f"{source} has gains already ({about['gains']}): begin with the mapper as it was trained")
white = mapper.white(generator.sample(torch.randn(500, generator.width, generator=torch.Generator().manual_seed(0)), 0.75))
with torch.no_grad():
    for name, amount in sorted(each.split("=") for each in asked):  # gains before what is added
        expression, plus, action = name.partition("+")
        row, g = rows.index(expression), float(amount)
        if plus:
            wanted = sliders({action: g}).expand(len(white), -1)
            nothing = torch.full((len(white),), NONE), torch.zeros(len(white))
            mapper.base[row] += mapper(white, *nothing, wanted).mean(0)
            continue
        mapper.base[row] = g * mapper.base[row] + (g * g - g) * mapper.curve[row]
        mapper.curve[row] *= g * g
        mapper.basis[row] *= g
about["gains"] = json.dumps(asked)
save_file({name: value.half().contiguous() for name, value in mapper.state_dict().items()}, target, about)
