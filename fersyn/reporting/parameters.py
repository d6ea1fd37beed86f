"""Parameters of notebooks: what a notebook declares, what a profile gives, and what a running notebook was given.

A profile is one flat YAML of notebook parameters, plus ``tables`` that name the face tables to build. Unknown names and
values of the wrong kind are refused at once: papermill puts any name into a notebook and says so in one line of its log,
which nobody reads, and a misspelt ``metod`` would change nothing, after minutes of computing. So every notebook begins with
:func:`check`.
"""

import ast
import contextlib
import difflib
import json
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fersyn.errors import FersynError
from fersyn.reporting import project

INJECTED = "# Parameters"  # the first line of papermill's cell; that of ours goes on
OWN = "# Parameters: "
KINDS = {bool: "True or False", int: "a whole number", float: "a number", str: "text", list: "a list"}


# What a notebook declares


def declared(notebook: Path) -> dict[str, Any]:
    """Names and default values of the notebook's one cell tagged ``parameters``, in order.

    Raises:
        FersynError: no such cell, more than one, or a value that is not a literal.
    """
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    tagged = [cell for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", [])]
    if len(tagged) != 1:
        raise FersynError(f"{notebook.name}: {len(tagged)} cells are tagged `parameters`, exactly one is needed")
    found = list(_assigned("".join(tagged[0]["source"])))
    for name, value in found:
        if name is None:
            raise FersynError(f"{notebook.name}: the parameters cell holds more than `name = value` lines")
        if value is ...:
            raise FersynError(f"{notebook.name}: parameter `{name}` is not a plain value")
    return dict(found)


def taken(notebook: Path, parameters: dict[str, Any]) -> dict[str, Any]:
    """Those of ``parameters`` that the notebook declares."""
    own = declared(notebook)
    return {name: value for name, value in parameters.items() if name in own}


def _assigned(code: str) -> Iterator[tuple[str | None, Any]]:
    """Name and value of each statement ``name = value``, ``...`` for a value that is no literal (`float("nan")`); of any other
    statement, a name that is None.
    """
    for line in ast.parse(code).body:
        target = line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", None)
        plain = isinstance(target, ast.Name) and isinstance(line, (ast.Assign, ast.AnnAssign))
        try:
            yield (target.id, ast.literal_eval(line.value)) if plain else (None, ...)
        except (ValueError, TypeError):
            yield target.id, ...


def misfit(name: str, value: Any, default: Any, cure: str = "papermill") -> str:
    """Why a value is not of the kind of the parameter's ``default``, with the cure; empty if it is.

    Args:
        name: of the parameter.
        value: what was given.
        default: what the notebook declares; of a list, the first element says what its elements are.
        cure: for whom the cure is written: "papermill" or "report" (``--set``).

    >>> misfit("methods", "landmark-flow", ["copy"])
    "methods = 'landmark-flow': a list is needed; give it as   -y 'methods: [landmark-flow]'"
    """
    kinds = [(value, type(default))]
    if isinstance(value, list) and isinstance(default, list) and default:
        kinds += [(element, type(default[0])) for element in value]
    wrong = next(((each, kind) for each, kind in kinds if not _is(each, kind)), None)
    if wrong is None:
        return ""
    needed = f"{name} = {value!r}: {KINDS[wrong[1]]} is needed"
    if wrong[0] is not value:
        return f"{needed} in place of {wrong[0]!r}, as in {default!r}"
    return f"{needed}; {_cure(name, value, default, cure == 'report')}"


def _is(value: Any, kind: type) -> bool:
    number = kind in (int, float) and isinstance(value, bool)  # which is an int to Python
    return not number and isinstance(value, (int, float) if kind is float else kind)


def _cure(name: str, value: Any, default: Any, report: bool) -> str:
    """What to type instead, to ``fersyn report`` or to papermill."""
    if isinstance(default, list):
        inside = str(value).strip().removeprefix("[").removesuffix("]").strip()
        return f"give it as   --set '{name}=[{inside}]'" if report else f"give it as   -y '{name}: [{inside}]'"
    if isinstance(default, str):
        text = "" if value is None else str(value)
        if not text:
            return f"for none give   --set '{name}=\"\"'" if report else f"for none give   -r {name} ''"
        return f"give it as   --set {name}='\"{text}\"'" if report else f"give it as   -r {name} {text}"
    return f"such as   {f'--set {name}=' if report else f'-p {name} '}{default}"


# What a profile gives


@dataclass(frozen=True)
class Profile:
    """A profile as read: parameters shared by the notebooks, and the arguments of ``fersyn data`` for each table."""

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, list[str]] = field(default_factory=dict)


def profile_names(folder: Path | None = None) -> list[str]:
    """Names of the profiles in the project."""
    return sorted(file.stem for file in ((folder or project.root()) / "profiles").glob("*.yaml"))


def load_profile(name: str, overrides: dict[str, Any] | None = None, folder: Path | None = None) -> Profile:
    """Reads ``profiles/<name>.yaml`` and lays ``overrides`` over its parameters.

    Raises:
        FersynError: no such profile, a value that is not a plain scalar or list, a table that is not a line of
            arguments.
    """
    folder = folder or project.root()
    file = folder / "profiles" / f"{name}.yaml"
    if not file.is_file():
        raise FersynError(f"no profile '{name}' in profiles/; there are: {', '.join(profile_names(folder)) or 'none'}")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise FersynError(f"profiles/{name}.yaml is no YAML: {error}") from None
    if not isinstance(content, dict):
        raise FersynError(f"profiles/{name}.yaml: expected lines `parameter: value`")
    tables = content.pop("tables", None) or {}
    if not isinstance(tables, dict) or not all(isinstance(line, str) and line.split() for line in tables.values()):
        needed = "`tables` maps names to arguments of `fersyn data`, e.g. mine: folder photos"
        raise FersynError(f"profiles/{name}.yaml: {needed}")
    parameters = {**content, **(overrides or {})}
    for key, value in parameters.items():
        if isinstance(value, dict):
            raise FersynError(f"profiles/{name}.yaml: `{key}` is a mapping; parameters are plain values or lists")
    return Profile(name, parameters, {str(key): shlex.split(line) for key, line in tables.items()})


def check_profile(profile: Profile, notebooks: Sequence[Path]) -> None:
    """Raises FersynError, naming them, if the profile has parameters that no notebook declares (misspelt ones), or a
    value of another kind than the notebook's.
    """
    known = _known(notebooks)
    if unknown := "`, `".join(sorted(set(profile.parameters) - set(known))):
        there = f"no notebook has a parameter `{unknown}`; there are: {', '.join(known)}"
        raise FersynError(f"profiles/{profile.name}.yaml: {there}")
    for notebook in notebooks:
        for name, default in declared(notebook).items():
            if wrong := misfit(name, profile.parameters.get(name, default), default, cure="report"):
                raise FersynError(f"profiles/{profile.name}.yaml or --set: {wrong}")


def parse_settings(settings: Sequence[str], notebooks: Sequence[Path]) -> dict[str, Any]:
    """``["folds=5", "private=true"]`` as parameters, values read as YAML.

    Raises:
        FersynError: not ``name=value``, or a name that no notebook declares.
    """
    known = _known(notebooks)
    found = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise FersynError(f"--set {setting}: expected name=value")
        if name not in known:
            raise FersynError(f"--set {setting}: no notebook has a parameter `{name}`; there are: {', '.join(known)}")
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            cure = "write it as   --set 'methods=[a, b]'"
            raise FersynError(f"--set {setting}: the value cannot be read; {cure}") from None
    return found


def _known(notebooks: Sequence[Path]) -> list[str]:
    return sorted({name for notebook in notebooks for name in declared(notebook)})


# What a running notebook was given


def check(namespace: Mapping[str, Any] | None = None, folder: Path | None = None) -> dict[str, Any]:
    """Returns the values of this notebook's parameters by name, without ``results``, which no number depends on.

    What was given is read from the cell that papermill puts in. A profile file, known by its ``tables``, brings names
    that other notebooks need: they pass. Without such cells (a script, a parameters cell that was never run) nothing is
    known of what was given: nothing is refused, and the result is empty.

    Args:
        namespace: the notebook's variables; None: those of the running IPython.
        folder: the project's folder; None: `project.root`.

    Raises:
        FersynError: a name that nobody knows (with the nearest one), one that belongs to another notebook, or a value
            of another kind than the declared one, with the cure.
    """
    if namespace is None:
        from IPython import get_ipython

        shell = get_ipython()
        namespace = shell.user_ns if shell else {}
    folder = folder or project.root()
    cells = [cell for cell in namespace.get("In", ()) if isinstance(cell, str)]
    own = _last(cells, lambda first: first.startswith(OWN))
    given = _last(cells, lambda first: first == INJECTED)
    books = {}
    for book in project.notebooks(folder):
        with contextlib.suppress(FersynError, ValueError, SyntaxError):  # one that cannot be read is left out
            books[book.stem] = declared(book)
    if own:
        _refuse_foreign(given, own, books, folder)
    # The cell may have been edited to a value of another kind; the notebook's file knows better.
    filed = next((book for book in books.values() if book.keys() == own.keys()), own)
    for name, default in own.items():
        if wrong := misfit(name, namespace.get(name, default), filed[name]):
            raise FersynError(wrong)
    return {name: namespace.get(name, default) for name, default in own.items() if name != "results"}


def _last(cells: list[str], fits: Callable[[str], bool]) -> dict[str, Any]:
    """Names and values of the last of the cells whose first line fits: in JupyterLab a cell may have been run twice."""
    cell = next((cell for cell in reversed(cells) if fits(cell.strip().partition("\n")[0].rstrip())), "")
    return {name: None if value is ... else value for name, value in _assigned(cell) if name is not None}


def _profile_names(given: Mapping[str, Any], folder: Path) -> Collection[str] | None:
    """Names that came with a profile file; None: any, for the file lies elsewhere."""
    if "tables" not in given:
        return ()
    found: set[str] = set()
    for file in (folder / "profiles").glob("*.yaml"):
        with contextlib.suppress(yaml.YAMLError):
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
            same = isinstance(content, dict) and content.get("tables") == given["tables"]
            found |= set(content) if same else set()
    return found or None


def _refuse_foreign(given: Mapping[str, Any], own: Collection[str], books: Mapping[str, Any], folder: Path) -> None:
    """Raise FersynError for the first given name that this notebook should not have been given."""
    from_profile = _profile_names(given, folder)
    known = {name for names in books.values() for name in names}
    for name in given:
        if name in own or name == "tables" or (name in known and (from_profile is None or name in from_profile)):
            continue
        listed = f"there are: {', '.join(own)}"
        if where := ", ".join(book for book, names in books.items() if name in names):
            raise FersynError(f"this notebook has no parameter '{name}', but {where} has; here {listed}")
        near = difflib.get_close_matches(name, own, 1) or difflib.get_close_matches(name, known, 1)
        raise FersynError(f"there is no parameter '{name}'; " + (f"did you mean '{near[0]}'?" if near else listed))
