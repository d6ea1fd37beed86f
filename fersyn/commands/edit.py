"""`fersyn edit`."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    photos: Annotated[list[Path], typer.Argument(help="Photographs, or folders of them.", metavar="PHOTO...")],
    out: Annotated[
        Path,
        typer.Option(
            help="File to write (.png, .jpg, .webp or .tif); for several photographs a folder, which is made."
        ),
    ],
    expression: Annotated[str | None, typer.Option(help="happiness, anger, neutral, ... or a synonym.")] = None,
    intensity: Annotated[
        float, typer.Option(help="0 (as it is) .. 1 (a clear, posed expression) .. 1.5; neutral knows no degrees.")
    ] = 1.0,
    blend: Annotated[str | None, typer.Option(help="A second expression that is mixed in.")] = None,
    share: Annotated[float | None, typer.Option(help="Of --blend, 0..1 (default: 0.5).")] = None,
    face: Annotated[int | None, typer.Option(help="Which face, counted from the left (default: all).")] = None,
    sheet: Annotated[
        bool,
        typer.Option(
            "--sheet",
            help="Every expression side by side, a row a face; of several photographs one sheet, where --out is a file.",
        ),
    ] = False,
    run: Annotated[
        Path | None,
        typer.Option(
            help="Run folder (fersyn train ... --out RUN) or exported file (fersyn export); default: the model that comes "
            "with the kit."
        ),
    ] = None,
) -> None:
    """Give the people of photographs another expression. Every picture says that it was made."""
    from fersyn.errors import FersynError

    if share is not None and not blend:
        raise FersynError(f"--share {share:g} is that of a second expression: name it by --blend")
    if blend and sheet:
        raise FersynError("--sheet shows every expression by itself, and --blend mixes two: leave one of both away")
    from fersyn.editing import Asked, edit_files
    from fersyn.training.model import load

    synthesiser = load(run or "")
    if blend:
        from fersyn.explore.shaped import Shaped

        synthesiser = Shaped(synthesiser, blend, 0.5 if share is None else share)
    done = edit_files(photos, Asked(synthesiser, expression or "", intensity, face, sheet), out, typer.echo)
    if done.failed:
        typer.echo(f"fersyn: {len(done.failed)} of {done.total} photographs could not be edited:", err=True)
        for reason in done.failed:
            typer.echo(f"  {reason}", err=True)
        raise typer.Exit(1)
