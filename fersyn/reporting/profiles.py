"""Profiles: one flat YAML of notebook parameters, plus ``tables`` that name the face tables to build."""

import ast
import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fersyn.errors import FersynError
from fersyn.reporting import project
from fersyn.reporting.kinds import misfit


@dataclass(frozen=True)
class Profile:
    """A profile as read: parameters shared by the notebooks, and the arguments of ``fersyn data`` for each table."""

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, list[str]] = field(default_factory=dict)


def names(folder: Path | None = None) -> list[str]:
    """Names of the profiles in the project."""
    return sorted(file.stem for file in ((folder or project.root()) / "profiles").glob("*.yaml"))


def load(name: str, overrides: dict[str, Any] | None = None, folder: Path | None = None) -> Profile:
    """Reads ``profiles/<name>.yaml`` and lays ``overrides`` over its parameters.

    Raises:
        FersynError: no such profile, a value that is not a plain scalar or list, a table that is not a line of
            arguments.
    """
    folder = folder or project.root()
    file = folder / "profiles" / f"{name}.yaml"
    if not file.is_file():
        raise FersynError(f"no profile '{name}' in profiles/; there are: {', '.join(names(folder)) or 'none'}")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise FersynError(f"profiles/{name}.yaml is no YAML: {error}") from None
    if not isinstance(content, dict):
        raise FersynError(f"profiles/{name}.yaml: expected lines `parameter: value`")
    tables = content.pop("tables", None) or {}
    if not isinstance(tables, dict) or not all(isinstance(line, str) and line.split() for line in tables.values()):
        raise FersynError(
            f"profiles/{name}.yaml: `tables` maps names to arguments of `fersyn data`, e.g. mine: folder photos"
        )
    parameters = {**content, **(overrides or {})}
    for key, value in parameters.items():
        if isinstance(value, dict):
            raise FersynError(f"profiles/{name}.yaml: `{key}` is a mapping; parameters are plain values or lists")
    return Profile(name, parameters, {str(key): shlex.split(line) for key, line in tables.items()})


def declared(notebook: Path) -> dict[str, Any]:
    """Names and default values of the notebook's one cell tagged ``parameters``, in order.

    Raises:
        FersynError: no such cell, more than one, or a value that is not a literal.
    """
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    tagged = [cell for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", [])]
    if len(tagged) != 1:
        raise FersynError(f"{notebook.name}: {len(tagged)} cells are tagged `parameters`, exactly one is needed")
    found: dict[str, Any] = {}
    for line in ast.parse("".join(tagged[0]["source"])).body:
        target = line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", None)
        if not isinstance(target, ast.Name):
            raise FersynError(f"{notebook.name}: the parameters cell holds more than `name = value` lines")
        try:
            found[target.id] = ast.literal_eval(line.value)
        except ValueError:
            raise FersynError(f"{notebook.name}: parameter `{target.id}` is not a plain value") from None
    return found


def taken(notebook: Path, parameters: dict[str, Any]) -> dict[str, Any]:
    """Those of ``parameters`` that the notebook declares."""
    own = declared(notebook)
    return {name: value for name, value in parameters.items() if name in own}


def check(profile: Profile, notebooks: list[Path]) -> None:
    """Raises FersynError, naming them, if the profile has parameters that no notebook declares (misspelt ones), or a
    value of another kind than the notebook's.
    """
    known = sorted({name for notebook in notebooks for name in declared(notebook)})
    unknown = sorted(set(profile.parameters) - set(known))
    if unknown:
        raise FersynError(
            f"profiles/{profile.name}.yaml: no notebook has a parameter `{'`, `'.join(unknown)}`; there are: "
            f"{', '.join(known)}"
        )
    for notebook in notebooks:
        for name, default in declared(notebook).items():
            wrong = misfit(name, profile.parameters.get(name, default), default, cure="report")
            if wrong:
                raise FersynError(f"profiles/{profile.name}.yaml or --set: {wrong}")


def parse_settings(settings: list[str], notebooks: list[Path]) -> dict[str, Any]:
    """``["folds=5", "private=true"]`` as parameters, values read as YAML.

    Raises:
        FersynError: not ``name=value``, or a name that no notebook declares.
    """
    known = sorted({name for notebook in notebooks for name in declared(notebook)})
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
            raise FersynError(
                f"--set {setting}: the value cannot be read; write it as   --set 'methods=[a, b]'"
            ) from None
    return found
