"""What each part of `landmark-label` is good for: the variants of Table 7 of Li, Qi & Sun, IEEE Access 9, 2021, and
more, as settings of the one method; the trainings that they need, and what came of them.

Two things make a difference from `full` uncertain, and they are kept apart: which weights a training happens to start from
(the deviation over seeds of `scores.summarise`), and which people happen to be tested (the paired intervals over people of
`scores.differences`).

Light to import: the report's plan asks for the trainings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.training.requests import Request, of_methods, settings_of

if TYPE_CHECKING:
    from fersyn.evaluation.measure import Measured, Truth

METHOD = "landmark-label"
FULL = "full"
RESAMPLES = 200  # of FID and KID, which are computed anew from each

Key = tuple[str, int]  # variant, seed


@dataclass(frozen=True)
class Variant:
    """One part left out or replaced.

    Attributes:
        name: in tables, and of the run's folder.
        settings: changes of the method's settings, `name=value`.
        about: what is different, in words.
        weights: pre-trained weights without which it cannot be trained, by their name in `fersyn weights`; or "".
    """

    name: str
    settings: tuple[str, ...] = ()
    about: str = ""
    weights: str = ""


VARIANTS: Mapping[str, Variant] = {
    name: Variant(name, tuple(given.get("settings", ())), given["about"], given.get("weights", ""))
    for name, given in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")).items()
}
# T as the profiles have it, of `landmark_label.Config`, which is slow to import; a test holds the two together.
PROFILE_BLOCKS = {"smoke": 1, "laptop": 4, "paper": 9}
_PUBLISHED = {
    "initialise_networks": "true", "label_maps": "true", "heatmap_channels": "1", "adversarial": "minimax",
}  # fmt: skip


def variant(name: str) -> Variant:
    """Return a variant by name; `blocks-N` with another N is one too, and any `setting=value` of your own.

    >>> variant("dropout=0.3").settings
    ('dropout=0.3',)

    Raises:
        FersynError: neither a name nor a setting; the message has the list.
    """
    if name in VARIANTS:
        return VARIANTS[name]
    if re.fullmatch(r"blocks-\d+", name):
        return Variant(name, (name.replace("-", "="),), f"{name[7:]} migration unit blocks")
    if re.fullmatch(r"[a-z_]+=[\w.+-]+", name):  # it becomes part of a folder's name
        return Variant(name, (name,), "a setting of your own")
    raise FersynError(f"variants: there is none called '{name}'; use setting=value or some of: {', '.join(VARIANTS)}")


def chosen(variants: Sequence[str]) -> list[Variant]:
    """The variants of these names, each once, `full` in front: all others are compared with it."""
    return [variant(name) for name in dict.fromkeys([FULL, *variants])]


def missing(of: Variant) -> str:
    """Why a variant cannot be trained on this machine, with the cure; empty if it can."""
    if not of.weights or weights.find(of.weights):
        return ""
    return f"weights missing: fersyn weights fetch {of.weights}"


def settings_of_full(profile: str, settings: Sequence[str] = ()) -> dict[str, str]:
    """Those settings of `full` that variants change, as text: of the profile, and `settings` laid over them."""
    given = dict(setting.partition("=")[::2] for setting in settings)
    found = {**_PUBLISHED, "blocks": str(PROFILE_BLOCKS.get(profile, "")), **given}
    if found.get("perceptual_network", "auto") == "auto":
        found["perceptual_network"] = "vgg19" if weights.find("vgg19") else "vgg16"
    return found


def is_full(of: Variant, profile: str, settings: Sequence[str] = ()) -> bool:
    """Whether a variant is what `full` is anyway: T = 9 where the profile has nine blocks."""
    full = settings_of_full(profile, settings)
    return all(full.get(name) == value for name, _, value in (setting.partition("=") for setting in of.settings))


def requests(
    variants: Sequence[str],
    profile: str,
    seed: int = 0,
    seeds: int = 1,
    settings: Sequence[str] = (),
    ablation_settings: Sequence[str] = (),
) -> dict[Key, Request]:
    """The trainings of the variants, by (variant, seed). The arguments are parameters of notebook 04.

    A variant that is `full` anyway shares its runs; one whose weights are missing has none. Without settings of its
    own, `full` is the run of the method itself, which other notebooks have too.

    Args:
        variants: names; `full` is always among them.
        profile: preset that all start from.
        seed: the first one.
        seeds: how many: each variant is trained with seed, seed + 1, ...
        settings: changes of settings as notebook 02 takes them.
        ablation_settings: further changes for all these runs, such as `steps=300`.

    Raises:
        FersynError: an unknown variant.
    """
    both = (*settings_of(settings, METHOD), *settings_of(ablation_settings, METHOD))
    found = {}
    for one in chosen(variants):
        if missing(one):
            continue
        same = is_full(one, profile, both)
        for number in range(seed, seed + seeds):
            name, changes = (f"ablations/{FULL}", ()) if same else (f"ablations/{one.name}", one.settings)
            found[one.name, number] = Request(f"{name}.seed{number}", METHOD, profile, number, (*both, *changes))
            if same and not settings_of(ablation_settings, METHOD):
                own = of_methods([METHOD], settings, profile, seed, seeds)
                found[one.name, number] = next(run for run in own.values() if run.seed == number)
    return found


def distinct(runs: Mapping[Key, Path]) -> dict[str, list[Path]]:
    """The run folders of each variant, in the order of its seeds; without variants that share the runs of another."""
    found: dict[str, list[Path]] = {}
    for (name, _), run in runs.items():
        if all(run not in own for variant, own in found.items() if variant != name):
            found.setdefault(name, []).append(run)
    return found


def twins(runs: Mapping[Key, Path]) -> list[str]:
    """Variants that share the runs of `full`."""
    own = distinct(runs)
    return [name for name in dict.fromkeys(name for name, _ in runs) if name not in own]


def measure_runs(runs: Mapping[Key, Path], table, fid: bool = True, seed: int = 0) -> tuple[Measured, Truth]:
    """Measure the pictures that all runs make of the people held out.

    Args:
        runs: run folders by (variant, seed), as `requests.trained` returns them.
        table: FaceTable.
        fid: also FID and KID, where their network's weights are there.
        seed: the first one.

    Returns:
        what was measured, each variant a method, and `copy`, which all have to beat; and the true pictures.

    Raises:
        FersynError: nobody is held out, or a folder holds no run.
        SubjectLeak: somebody of the hold-out was trained on.
    """
    from fersyn.evaluation import measure, protocol
    from fersyn.evaluation.scores import of_group
    from fersyn.methods.copy import CopySource
    from fersyn.training.runs import load

    pairs, chosen = protocol.measured_pairs(table)
    protocol.check_people(runs.values(), table.people[chosen[:, 1]])
    true = measure.truth(pairs, chosen, sets=fid, content=False)
    made = {"copy": CopySource(table.size)}
    made |= {name: [load(run) for run in own] for name, own in distinct(runs).items()}
    return measure.evaluate(made, true, of_group("picture"), seed), true
