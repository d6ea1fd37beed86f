"""The commands of `fersyn data`: one a set. What is heavy is imported by the command that needs it."""

import functools
import inspect
from pathlib import Path
from typing import Annotated

import typer

from fersyn.errors import FersynError
from fersyn.files import data_of

STYLE = {"no_args_is_help": True, "rich_markup_mode": None, "pretty_exceptions_enable": False, "add_completion": False}
data = typer.Typer(help="Read a data set, detect and align its faces, and write a face table.", **STYLE)
_Agreed = Annotated[bool, typer.Option("--publishable", help="Everybody agreed to be shown in public.")]


def _build(
    frame_set,
    *,
    out: Annotated[Path, typer.Option(help="Folder of the face table.")],
    size: Annotated[int, typer.Option(help="Side of the faces, px.")] = 128,
    workers: Annotated[int | None, typer.Option(help="Processes (default: one a core; 0: only this one).")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Delete the table that stands there first.")] = False,
    holdout: Annotated[float, typer.Option(help="Part of the people that nothing is trained on, 0..1.")] = 0.1,
) -> None:
    from fersyn.building.workers import start_server

    if workers != 0:
        start_server()  # loads while the rest is imported here
    from fersyn.building.preprocess import build_table
    from fersyn.progress import say

    for note in frame_set.notes:
        say(f"{frame_set.dataset}: {note}")
    table = build_table(frame_set, out, size=size, workers=workers, overwrite=overwrite, holdout=holdout)
    typer.echo(f"{table.path}\t{len(table)} faces\t{table.fingerprint}")


def _reader(name: str | None = None):
    """Makes a command of `fersyn data` of a function that returns a frame set: its own options, those that every table has,
    and the table built.
    """
    shared = list(inspect.signature(_build).parameters.values())[1:]

    def command(read):
        own = [each.replace(kind=each.KEYWORD_ONLY) for each in inspect.signature(read).parameters.values()]
        asked = [each for each in own if each.default is each.empty]
        options = [*asked, shared[0], *(each for each in own if each not in asked), *shared[1:]]

        @functools.wraps(read)
        def run(**given) -> None:
            table = {each.name: given.pop(each.name) for each in shared}
            _build(read(**given), **table)

        run.__signature__ = inspect.Signature(options)
        run.__annotations__ = {each.name: each.annotation for each in options}
        return data.command(name)(run)

    return command


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise FersynError(f"{option} '{text}': use numbers with commas between them, as in 0.5,1") from None


@_reader()
def rendered(
    subjects: Annotated[int, typer.Option(help="Number of people.")] = 24,
    seed: Annotated[int, typer.Option(help="Who the people are.")] = 0,
    frames: Annotated[
        str, typer.Option(help="ends: first and last three frames of each sequence, as in CK+; all: every frame.")
    ] = "ends",
    sequence_length: Annotated[int, typer.Option(help="Frames from neutral to peak.")] = 12,
    grey: Annotated[bool, typer.Option("--grey", help="Grey pictures, as in CK+.")] = False,
    glasses: Annotated[float, typer.Option(help="Part of the people who wear glasses, 0..1.")] = 0.15,
):
    """Faces that the kit renders itself: no one's photograph, with known pose, light and landmarks."""
    from fersyn.datasets.rendered import read_rendered

    return read_rendered(
        subjects=subjects, seed=seed, frames=frames, sequence_length=sequence_length, grey=grey, glasses=glasses
    )


@_reader()
def generated(
    people: Annotated[int, typer.Option(help="Number of people.")] = 60,
    seed: Annotated[int, typer.Option(help="Who the people are.")] = 0,
    strengths: Annotated[str, typer.Option(help="Of each expression, above 0 up to 1, by commas.")] = "0.4,0.7,1",
    truncation: Annotated[float, typer.Option(help="0 the mean face .. 1 odd faces, too.")] = 0.75,
    or_rendered: Annotated[
        bool, typer.Option("--or-rendered", help="Where the generator cannot be had: rendered people stand in.")
    ] = False,
):
    """Photo-real people who do not exist, with every expression: adults in front of the camera. Not for commercial use."""
    from fersyn.datasets.generated import fetch_makers, read_generated, stand_in

    given = _numbers("--strengths", strengths)
    try:
        fetch_makers()
    except FersynError as error:
        if not or_rendered:
            raise
        return stand_in(people, seed, error)
    return read_generated(people, seed, given, truncation)


@_reader()
def ckplus(
    root: Annotated[Path, typer.Argument(help="Folder that holds cohn-kanade-images and Emotion.")],
    consent: Annotated[
        list[str] | None,
        typer.Option(help="Subjects who agreed to be shown in public: a file, or ids (S052,S055). None by default."),
    ] = None,
    labelled_only: Annotated[bool, typer.Option("--labelled-only", help="Leave out what has no emotion file.")] = False,
):
    """Extended Cohn-Kanade: first and last three frames of each sequence."""
    from fersyn.datasets.ckplus import read_ckplus, read_consent

    return read_ckplus(root, consent=read_consent(consent or []), unlabelled=not labelled_only)


@_reader("oulu-casia")
def oulu_casia(
    root: Annotated[Path, typer.Argument(help="Folder that holds B_OriginalImg/VL/Strong.")],
):
    """Oulu-CASIA NIR&VIS: visible light, strong illumination, first and last three frames of each sequence."""
    from fersyn.datasets.oulu_casia import read_oulu_casia

    return read_oulu_casia(root)


@_reader()
def london(
    root: Annotated[Path, typer.Argument(help="Folder that holds neutral_front and smiling_front.")],
):
    """Face Research Lab London Set: 102 people, neutral and smiling."""
    from fersyn.datasets.london import read_london

    return read_london(root)


@_reader()
def openpeople(
    root: Annotated[Path | None, typer.Option(help="Its folder data/curated (default: the installed package).")] = None,
):
    """Ten photo-like people who do not exist, seven expressions each."""
    from fersyn.datasets.openpeople import read_openpeople

    return read_openpeople(root)


@_reader()
def folder(
    root: Annotated[
        Path,
        typer.Argument(help="Folder with expression/... or subject/expression/..., or the one that --csv speaks of."),
    ],
    csv: Annotated[
        Path | None,
        typer.Option(help="Columns file, expression, and optionally subject, intensity, publishable."),
    ] = None,
    subject_from: Annotated[
        str | None, typer.Option(help="Regular expression with one group that finds the person in a picture's path.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="What folders of other names mean, as in 0=neutral,1=happiness.")
    ] = None,
    publishable: _Agreed = False,
):
    """Your own photographs."""
    from fersyn.datasets.folder import read_folder
    from fersyn.progress import say

    found = read_folder(root, csv=csv, subject_from=subject_from, publishable=publishable, labels=labels)
    if not any(frame.publishable for frame in found.frames):
        say("folder: nobody may be shown in public, and pages picture nobody; --publishable says that everybody agreed")
    return found


@_reader()
def fer2013(
    file: Annotated[Path, typer.Argument(help="fer2013.csv: columns emotion, pixels, Usage.")],
    cropped: Annotated[
        bool, typer.Option("--cropped", help="Take each picture for a face as it is; nothing is detected.")
    ] = False,
    publishable: _Agreed = False,
):
    """FER2013: 35,887 faces of 48 px, grey, with the challenge's own split."""
    from fersyn.datasets.fer2013 import read_fer2013

    return read_fer2013(file, cropped=cropped, publishable=publishable)


@_reader()
def mmi(
    root: Annotated[Path, typer.Argument(help="Folder that holds Sessions/1/S001-001.avi and S001-001.xml.")],
    publishable: _Agreed = False,
):
    """MMI: films of 6 expressions; the first three frames, and three in the middle."""
    from fersyn.datasets.mmi import read_mmi

    return read_mmi(root, publishable=publishable)


def _named(name: str, about: dict) -> None:
    """The command of a set of datasets/named.yaml; those whose names tell the camera's view have --views."""

    def read(
        root: Annotated[Path, typer.Argument(help=f"Folder that holds {about['layout']}.")],
        views: Annotated[str | None, typer.Option(help=f"By commas; {about.get('views')} by default.")] = None,
        publishable: _Agreed = False,
    ):
        from fersyn.datasets.named import read_named

        return read_named(name, root, views, publishable)

    signature = inspect.signature(read)
    kept = [each for each in signature.parameters.values() if each.name != "views" or "views" in about]
    read.__signature__, read.__doc__ = signature.replace(parameters=kept), f"{about['about']}."
    _reader(name)(read)


for _name, _about in data_of(Path(__file__).parents[1] / "datasets" / "named").items():
    if "layout" in _about:
        _named(_name, _about)
