"""Which trainings a notebook needs: their names, settings and people. The Snakefile runs them as jobs of their own; a
notebook opened by hand runs those that are missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fersyn.errors import FersynError
from fersyn.progress import say

if TYPE_CHECKING:  # the report's plan imports this: it must stay light
    from fersyn.table import FaceTable


@dataclass(frozen=True)
class Request:
    """One training.

    Attributes:
        name: of the run's folder below that of the runs; may hold slashes.
        method: what is trained.
        profile: preset that its settings start from.
        seed: of weights, pairs, and of the deal of the people.
        settings: changes, `name=value`.
        fold: 'k/n', or '' for the table's own hold-out.
        people: number of training people, 0 for all.
    """

    name: str
    method: str
    profile: str
    seed: int = 0
    settings: tuple[str, ...] = ()
    fold: str = ""
    people: int = 0

    def view(self, table: FaceTable) -> FaceTable:
        """The table with the sides of this training in its column `split`."""
        return table.view(self.fold, self.people, self.seed)

    def train(self, table: FaceTable, runs: str | Path, photographs: Sequence[FaceTable] = ()) -> Path:
        """Train, go on, or do nothing if it is done; return the run's folder.

        Of `photographs`, which its networks never see, the landmark motion learns. Raises what `loop.train` raises.
        """
        from fersyn import methods
        from fersyn.training import loop

        method = methods.get(self.method)
        config = method.preset(self.profile).with_settings(self.settings)
        run = Path(runs) / self.name
        # Two notebooks of one report open the same finished run at the same time.
        return loop.train(
            method, config, self.view(table), run, self.seed, resume=True, photographs=photographs, wait=True
        )

    @property
    def arguments(self) -> list[str]:
        """Arguments of `fersyn train` after method, table and run."""
        words = ["--profile", self.profile, "--seed", str(self.seed)]
        words += ["--fold", self.fold] if self.fold else []
        words += ["--people", str(self.people)] if self.people else []
        return [*words, *(word for setting in self.settings for word in ("--set", setting))]


def settings_of(settings: Sequence[str], method: str) -> tuple[str, ...]:
    """Those `settings` that concern a method, without its name: `steps=9` all, `c-gan.steps=9` that one alone.

    >>> settings_of(["lr=1e-4", "c-gan.steps=9", "copy.size=64"], "c-gan")
    ('lr=1e-4', 'steps=9')
    """
    owners = [setting.partition("=")[0].rpartition(".")[0] for setting in settings]
    pairs = zip(settings, owners, strict=True)
    return tuple(setting.removeprefix(f"{owner}.") for setting, owner in pairs if owner in ("", method))


def check_method(name: str, parameter: str) -> None:
    """Raise FersynError, naming the notebook's `parameter`, if there is no method of that name."""
    from fersyn.methods import names

    if name not in names():
        raise FersynError(f"{parameter}: there is no method '{name}'; there are: {', '.join(names())}")


def chosen(methods: Sequence[str], method: str = "", slow: Sequence[str] = ()) -> list[str]:
    """The methods that a notebook looks at, each once: `method` alone, or with an empty one all of `methods`, and then those
    that are `slow`.

    Raises:
        FersynError: none, or a name that there is no method of.
    """
    from fersyn.methods import names

    found = [method] if method else list(dict.fromkeys([*methods, *slow]))
    if not found:
        raise FersynError(f"methods = []: name at least one of: {', '.join(names())}")
    for name in found:
        check_method(name, "method" if method else "methods")
    return found


def able(names: Sequence[str], settings: Sequence[str], profile: str) -> tuple[list[str], str]:
    """Those of some methods whose weights of others (`Method.needs_weights`) are on this machine, and a sentence on the rest, empty
    where there is none.

    Args:
        names: of `chosen`.
        settings, profile: as `of_methods` takes them.

    Raises:
        FersynError: all lack some.
    """
    from fersyn import weights

    lost = {
        name: [each for each in own if weights.find(each) is None] for name, own in _needed(names, settings, profile)
    }
    lacking = [f"{name} (fersyn weights fetch {' '.join(own)})" for name, own in lost.items() if own]
    note = f"left out, for want of weights: {', '.join(lacking)}" if lacking else ""
    if len(lacking) == len(lost):
        raise FersynError(f"no method is left to look at; {note}")
    if note:
        say(note)
    return [name for name in names if not lost[name]], note


def weights_of(names: Sequence[str], settings: Sequence[str], profile: str) -> list[str]:
    """The weights of others that methods cannot do without (`Method.needs_weights`); arguments: those of `able`."""
    return [each for _, own in _needed(names, settings, profile) for each in own]


def _needed(names: Sequence[str], settings: Sequence[str], profile: str) -> list[tuple[str, tuple[str, ...]]]:
    from fersyn import methods

    configs = {name: methods.get(name).preset(profile).with_settings(settings_of(settings, name)) for name in names}
    return [(name, methods.get(name).needs_weights(config)) for name, config in configs.items()]


def editor_of(editor: str, methods: Sequence[str], floor: Sequence[str] = ()) -> str:
    """The method that a notebook looks at more closely: `editor`; the last of `methods`, where it is empty or not there.

    Args:
        editor: name of a method, or empty.
        methods: those that are looked at.
        floor: others that are there, too, and learn nothing.

    Raises:
        FersynError: a name that there is no method of.
    """
    if editor:
        check_method(editor, "editor")
    return editor if editor in (*methods, *floor) else methods[-1]


def editor_note(editor: str, taken: str) -> str:
    """A sentence, if another method than the `editor` asked for is `taken`; otherwise empty."""
    if editor in ("", taken):
        return ""
    return f"{editor} (parameter editor) is not among the methods of this run: {taken} takes its place."


def of_methods(
    methods: Sequence[str],
    settings: Sequence[str],
    profile: str,
    seed: int = 0,
    seeds: int = 1,
    method: str = "",
    slow: Sequence[str] = (),
) -> dict[str, Request]:
    """The trainings of some methods by name: `c-gan` with seed 0, `c-gan.seed1` with seed 1, and so on, whichever is the
    first: a run has one seed for good.

    Args:
        methods: names; each is trained.
        settings: changes of their settings (see `settings_of`).
        profile: preset that they start from.
        seed: the first one.
        seeds: how many.
        method, slow: as `chosen` takes them.

    Raises:
        FersynError: no method, a name that there is none of, or fewer than one seed.
    """
    if seeds < 1:
        raise FersynError(f"seeds = {seeds}: at least 1 is needed")
    return {
        name: Request(name, one, profile, number, settings_of(settings, one))
        for number in range(seed, seed + seeds)
        for one in chosen(methods, method, slow)
        for name in [one if number == 0 else f"{one}.seed{number}"]
    }


def trained(
    requests: Mapping[str, Request], table: FaceTable, runs: str | Path, photographs: FaceTable | None = None
) -> dict[str, Path]:
    """Do all trainings that are not done, one after the other; return the run folders under the keys of `requests`.

    Of `photographs` landmark motions learn, nothing else (see `Request.train`).
    """
    beside = [] if photographs is None else [photographs]
    return {key: request.train(table, runs, beside) for key, request in requests.items()}
