"""`fersyn export`."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    out: Annotated[Path, typer.Option(help="File to write, .safetensors.")],
    data: Annotated[
        list[Path], typer.Option(help="Face table that it has learnt from, photographs too; may be repeated.")
    ],
    commit: Annotated[str, typer.Option(help="At which it was trained (default: what the run says).")] = "",
) -> None:
    """Write a run as one file, all that `fersyn edit --run FILE` needs: to be passed on, or to come with the kit."""
    from fersyn.table import FaceTable
    from fersyn.training.model import export
    from fersyn.weights.places import sha256_of

    about = export(run, out, [FaceTable.open(path) for path in data], commit)
    typer.echo(f"{out}\t{out.stat().st_size / 1e6:.1f} MB\tSHA-256 {sha256_of(out)}")
    typer.echo(f"{about['method']}; {about['command']}; commit {about['commit']}; licence: {about['licence']}")
    for each in about["learnt_from"]:
        taught = " and ".join(each["taught"]) or "nothing"
        who = f"{each['people']} people of {each['dataset']}, fingerprint {each['fingerprint'][:12]}"
        typer.echo(
            f"{who}: taught {taught}; their ids and the shapes of their faces are in the file"
            if taught != "nothing"
            else who
        )
