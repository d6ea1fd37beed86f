"""What a number depends on besides the code: versions, device, commit, data. Shown first in every notebook, and as JSON
inside every page.

``fersyn provenance PAGE.html`` prints that JSON.
"""

import json
import platform
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from fersyn.errors import FersynError
from fersyn.reporting import project
from fersyn.system import cores, versions

PACKAGES = (
    "torch", "torchvision", "dlib-bin", "opencv-python-headless", "scikit-learn", "pandas", "anny", "openpeople",
)  # fmt: skip
# The id of the element that holds a page's provenance, numbers included.
ELEMENT = "fersyn-provenance"
# Of a run's record, what would only double the page: pictures that are on it anyway, and the scores of single pictures.
NOT_EMBEDDED = ("thumbnails", "scores")


def device() -> str:
    """The device that networks compute on (`fersyn.devices`), in words a reader can compare: the GPU's name, or the CPU and its cores."""
    import torch

    from fersyn.devices import default_device

    kind = default_device().type
    if kind == "cuda":
        return f"{torch.cuda.get_device_name()} (CUDA {torch.version.cuda})"
    if kind == "mps":
        return f"Apple GPU ({platform.machine()})"
    return f"CPU, {cores()} cores ({platform.machine()})"


def collect(parameters: dict[str, Any], seed: int | None = None, fingerprints: dict[str, str] | None = None) -> dict:
    """One JSON-able record of everything a reader needs to make the numbers again."""
    return {
        "parameters": parameters,
        "seed": seed,
        "commit": project.commit(),
        "fingerprints": fingerprints or {},
        "versions": versions(PACKAGES),
        "device": device(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def element(content: dict[str, Any]) -> str:
    """A run's record as a data block of its HTML page: no browser runs it, any program can read it (:func:`of_page`)."""
    kept = {name: value for name, value in content.items() if name not in NOT_EMBEDDED}
    text = json.dumps(kept, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Nothing in it may end the element or begin a comment; JSON reads these escapes as the characters themselves.
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f'<script type="application/json" id="{ELEMENT}">{text}</script>'


def of_page(page: Path) -> dict[str, Any]:
    """The record inside a page: parameters, seed, commit, fingerprints, weights with SHA-256, versions, device, times,
    numbers.

    Raises:
        FersynError: the file cannot be read, or there is no such record in it.
    """
    try:
        text = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FersynError(f"{page} cannot be read ({error}); name a page of a report") from None
    found = re.search(rf'<script\b[^>]*\bid="{ELEMENT}"[^>]*>(.*?)</script>', text, re.S)
    try:
        content = json.loads(found[1]) if found else None
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise FersynError(f"{page} holds no provenance; name a page that `fersyn report` made, or make it again")
    return content


def command(
    pages: Annotated[
        list[Path], typer.Argument(help="Pages of a report, such as reports/laptop/03_image_quality.html.")
    ],
) -> None:
    """Print what the numbers of a report's page depend on, as JSON."""
    for page in pages:
        typer.echo(json.dumps(of_page(page), indent=1, ensure_ascii=False))
