"""The command `fersyn`. Everything heavy is imported by the command that needs it, so that help and errors come at
once.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from fersyn import methods
from fersyn.commands.data import STYLE, data
from fersyn.commands.edit import command as edit
from fersyn.commands.export import command as export
from fersyn.errors import FersynError
from fersyn.generating import actions
from fersyn.reporting.compare import command as compare
from fersyn.reporting.provenance import command as provenance
from fersyn.reporting.results import command as results
from fersyn.weights.command import app as weights


class _Group(TyperGroup):
    """Turns errors meant for the user into one line on stderr and exit code 2, whichever way the app is started."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except FersynError as error:
            typer.echo(f"fersyn: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            typer.echo("fersyn: stopped; run the same command again to go on", err=True)
            raise typer.Exit(130) from None


PRECISION = """32-true, tf32 (on GPUs), bf16-mixed or another of Lightning Fabric; auto: the faster one of both for this method and device
(default: auto; with --resume, the run's own)."""
app = typer.Typer(cls=_Group, help="A kit for facial expression synthesis: face tables, notebooks, reports.", **STYLE)
app.add_typer(data, name="data")
app.add_typer(weights, name="weights")


@app.command()
def report(
    notebook: Annotated[
        Path | None, typer.Argument(help="An executed notebook (.ipynb): makes its page, beside it, and nothing else.")
    ] = None,
    profile: Annotated[str, typer.Option(help="Name of a profile (profiles/NAME.yaml).")] = "laptop",
    cores: Annotated[int | None, typer.Option(help="Cores to use (default: all).")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="Part of a run's name, such as 01 or openpeople; may be repeated.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of a notebook's parameter; may be repeated.")
    ] = None,
    private: Annotated[
        bool,
        typer.Option(
            "--private",
            help="Show people who did not agree to be shown, too: in reports/PROFILE-private, not to be passed on.",
        ),
    ] = False,
) -> None:
    """Run the notebooks and write reports/PROFILE/index.html; or make the page of one that was run already."""
    if notebook is not None:
        from fersyn.reporting.execute import pages

        typer.echo("\n".join(map(str, pages(notebook))))
        return
    from fersyn.reporting.plan import report as run

    status = run(profile=profile, cores=cores, dry_run=dry_run, only=only, settings=settings or (), private=private)
    if isinstance(status, int) and status:
        raise typer.Exit(status)


@app.command()
def train(
    method: Annotated[str, typer.Argument(help=f"One of: {', '.join(methods.names())}.")],
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    data: Annotated[
        Path | None, typer.Option(help="Face table to train on; only a method that learns from none goes without.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="smoke, laptop or paper (default: laptop; with --resume, the run's own settings)."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Training steps.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of a setting of the method; may be repeated.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Of initial weights, pairs and dropout (default: 0; with --resume, the run's own)."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, if there is one.")] = False,
    fold: Annotated[
        str, typer.Option(help="k/n: train on all people but fold k of n (default: all but the table's hold-out).")
    ] = "",
    people: Annotated[int, typer.Option(help="Train on so many of the training people (0: all).")] = 0,
    photos: Annotated[
        list[Path] | None,
        typer.Option(
            help="Face table of photographs; the landmark motion learns from its people too, the networks never see "
            "them. May be repeated; with --resume a finished run learns its motion anew."
        ),
    ] = None,
    devices: Annotated[int, typer.Option(help="Devices; several train by DDP.")] = 1,
    accelerator: Annotated[str, typer.Option(help="cpu, cuda, mps or auto (CUDA where it is).")] = "auto",
    precision: Annotated[str | None, typer.Option(help=PRECISION)] = None,
    compile: Annotated[bool, typer.Option("--compile", help="Compile the networks (torch.compile).")] = False,
    checkpoint_every: Annotated[int | None, typer.Option(help="Steps between checkpoints (default: by time).")] = None,
) -> None:
    """Train a method, as a rule on a face table; stopped at any moment, --resume goes on as if it had not been."""
    from fersyn.table import FaceTable

    chosen, table = methods.get(method), FaceTable.open(data) if data else None
    if table is None and (fold or people):
        raise FersynError("--fold and --people choose among the people of a face table: name one by --data")
    from fersyn.training import loop, runs

    config = chosen.preset(profile or "laptop")
    if resume and not profile and (out / "config.json").is_file():
        name, values = runs.read_config(out)
        config = chosen.Config(**values) if name == chosen.name else config
    if seed is None:
        seed = (runs.read_seed(out) if resume else None) or 0
    table = table.view(fold, people, seed) if table else None
    config = config.with_settings([*(settings or ()), *([f"steps={steps}"] if steps is not None else ())])
    precision = precision or (runs.read_precision(out) if resume else None) or "auto"
    fabric = loop.make_fabric(devices, precision, accelerator, chosen.mixes)
    options = {"compile": compile, "checkpoint_every": checkpoint_every}
    options["photographs"] = [FaceTable.open(path) for path in photos or ()]
    loop.train(chosen, config, table, out, seed, resume, fabric, **options)
    if fabric.is_global_zero:
        learnt = (out / "checkpoint.pt").is_file()
        typer.echo(f"{out}\t{chosen.name}\t{f'{config.steps} steps' if learnt else 'nothing to train'}")


@app.command()
def train_verifier(
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    people: Annotated[int, typer.Option(help="Number of people to render; with --data, to train on (0: all).")] = 0,
    data: Annotated[
        Path | None,
        typer.Option(help="Face table to train on (default: people rendered for it, in OUT/faces)."),
    ] = None,
    steps: Annotated[int, typer.Option(help="Training steps; a second or two each on two cores.")] = 3000,
    batch: Annotated[int, typer.Option(help="Faces a step.")] = 32,
    lr: Annotated[float, typer.Option(help="Highest learning rate.")] = 1e-3,
    seed: Annotated[int, typer.Option(help="Who is rendered; of weights and batches.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, if there is one.")] = False,
) -> None:
    """Train a LightCNN-9 as face verifier on rendered people, for notebook 05's parameter `verifier_run`."""
    from fersyn.table import FaceTable
    from fersyn.training import verifier

    table = FaceTable.open(data) if data else verifier.rendered(out / "faces", people or 200, seed)
    if data and people:
        table = table.view(people=people, seed=seed)
    settings = verifier.Settings(steps=steps, batch=batch, lr=lr)
    verifier.train_verifier(table, out, settings, seed, resume)
    about = verifier.read_about(out)
    who, how = f"{about['people']} {about['kind']} people", f"{steps} steps, accuracy {about['accuracy']:.2f}"
    typer.echo(f"{out}\tLightCNN-9, {who}\t{how}")


@app.command()
def draw(
    out: Annotated[Path, typer.Option(help="File to write: .png, .jpg, .webp or .tif.")],
    expression: Annotated[str, typer.Option(help="happiness, anger, ... or a synonym.")] = "neutral",
    strength: Annotated[float, typer.Option(help="0 the own neutral face .. 1 .. 1.5; learnt up to 1.3.")] = 1.0,
    action: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=AMOUNT of a single action, -1 .. 1 beside the expression's own; without Left or Right: of both sides, "
            f"which hardly any face keeps apart. May be repeated. These move well: {', '.join(actions.WELL)}. "
            f"A little: {', '.join(actions.LITTLE)}. All others of the 51 hardly at all."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the people, as of fersyn data generated.")] = 0,
    person: Annotated[int, typer.Option(help="Which of them: 7 is G1-00007, with --seed 1.")] = 0,
    truncation: Annotated[float, typer.Option(help="0 the mean face .. 1 odd faces, too.")] = 0.75,
    size: Annotated[int, typer.Option(help="Side of the picture, px: 1024, 512, 256, 128 ...")] = 256,
    sheet: Annotated[bool, typer.Option("--sheet", help="Every expression, side by side.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Draw one person who does not exist. As the generator has them: children, too, whom no table takes. Not for commercial use."""
    from fersyn.drawing import draw_file

    about = {"expression": expression, "strength": strength, "actions": actions.read(action or ())}
    about |= {"seed": seed, "person": person, "truncation": truncation, "size": size}
    typer.echo(draw_file(out, sheet, overwrite, **about))


@app.command()
def version() -> None:
    """Print the version."""
    from fersyn import __version__

    typer.echo(__version__)


app.command("edit")(edit)
app.command("export")(export)
app.command("compare")(compare)
app.command("results")(results)
app.command("provenance")(provenance)


def main() -> None:
    """Entry of the console command."""
    sys.exit(app())


if __name__ == "__main__":
    main()
