"""What recognisers that have learnt from people who do not exist call photographs, and what the judges call them.

    python scripts/bench_transfer.py --generated T --rendered T --photos openpeople --photos london --steps 1500 --seeds 3

Prints a line a source and a judge: named rightly [95 % interval over people], and by expression; means over the seeds.
"""

from pathlib import Path
from typing import Annotated

import torch
import typer

from fersyn.evaluation import judging, transfer
from fersyn.evaluation.judging import ALL, JUDGED
from fersyn.table import FaceTable


def main(
    generated: Annotated[Path, typer.Option(help="face table of generated people")],
    photos: Annotated[list[Path], typer.Option(help="face table of photographs, once or several times")],
    rendered: Annotated[Path | None, typer.Option(help="face table of rendered people, to learn from beside")] = None,
    steps: Annotated[int, typer.Option(help="of each training")] = transfer.STEPS,
    seeds: Annotated[int, typer.Option(help="trainings of each source")] = 3,
) -> None:
    """Train on each source, name all photographs."""
    torch.set_num_threads(1)
    sources = {"generated people": [FaceTable.open(generated)]}
    if rendered is not None:
        sources["generated and rendered people"] = [*sources["generated people"], FaceTable.open(rendered)]
    tables = [FaceTable.open(each) for each in photos]
    found = transfer.named(sources, tables, steps, seeds)
    for table in tables:
        found = found + judging.true_pictures(table)
    summary = judging.by_expression(found)
    judges = {metric: name for name, metric in JUDGED.items()}
    for (table, method, metric), own in summary.groupby(["table", "method", "metric"], sort=False):
        value = own.set_index("expression")
        whole = value.loc[ALL]
        each = ", ".join(f"{name} {row['value']:.2f}" for name, row in value.drop(ALL).iterrows())
        interval = f"{whole['value']:.3f} [{whole['low']:.3f}, {whole['high']:.3f}]"
        print(f"{table}, {judges.get(metric, method)}: {interval}; {each}")


if __name__ == "__main__":
    typer.run(main)
