"""The parameters of a notebook as it was given them: unknown names and values of the wrong kind are refused at once.

Papermill puts any name into a notebook and says so in one line of its log, which nobody reads: a misspelt ``metod``
would change nothing, after minutes of computing. So every notebook begins with :func:`check`.
"""

import ast
import difflib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from fersyn.errors import FersynError
from fersyn.reporting import profiles, project
from fersyn.reporting.kinds import misfit

INJECTED = "# Parameters"  # the first line of papermill's cell; that of ours goes on
OWN = "# Parameters: "


def check(namespace: Mapping[str, Any] | None = None, folder: Path | None = None) -> dict[str, Any]:
    """Returns the values of this notebook's parameters by name, without ``results``, which no number depends on.

    What was given is read from the cell that papermill puts in. A profile file, known by its ``tables``, brings names
    that other notebooks need: they pass. Without such cells (a script, a parameters cell that was never run) nothing is
    known of what was given: nothing is refused, and the result is empty.

    Args:
        namespace: the notebook's variables; None: those of the running IPython.
        folder: the project's folder; None: :func:`project.root`.

    Raises:
        FersynError: a name that nobody knows (with the nearest one), one that belongs to another notebook, or a value
            of another kind than the declared one, with the cure.
    """
    if namespace is None:
        from IPython import get_ipython

        shell = get_ipython()
        namespace = shell.user_ns if shell else {}
    cells = [cell for cell in namespace.get("In", ()) if isinstance(cell, str)]
    own = _values(_last(cells, lambda first: first.startswith(OWN)))
    given = _values(_last(cells, lambda first: first == INJECTED))
    books = _declared(folder or project.root())
    _names(given, own, books, _profile_names(given, folder or project.root()))
    # The cell may have been edited to a value of another kind; the notebook's file knows better.
    filed = next((book for book in books.values() if book.keys() == own.keys()), own)
    for name, default in own.items():
        wrong = misfit(name, namespace.get(name, default), filed[name])
        if wrong:
            raise FersynError(wrong)
    return {name: namespace.get(name, default) for name, default in own.items() if name != "results"}


def _last(cells: list[str], fits) -> str:
    """The last of the cells whose first line fits: in JupyterLab a cell may have been run twice."""
    return next((cell for cell in reversed(cells) if fits(cell.strip().partition("\n")[0].rstrip())), "")


def _values(cell: str) -> dict[str, Any]:
    """Names and values of a cell of plain assignments; a value that is none (`float('nan')`) is left out as None."""
    found = {}
    for line in ast.parse(cell).body:
        target = line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", None)
        if isinstance(target, ast.Name) and isinstance(line, (ast.Assign, ast.AnnAssign)):
            try:
                found[target.id] = ast.literal_eval(line.value)
            except (ValueError, TypeError):
                found[target.id] = None
    return found


def _declared(folder: Path) -> dict[str, dict[str, Any]]:
    """Parameters and defaults of all numbered notebooks of the project, by file name; those that cannot be read are
    left out.
    """
    found = {}
    for book in sorted((folder / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        try:
            found[book.stem] = profiles.declared(book)
        except (FersynError, ValueError, SyntaxError):
            continue
    return found


def _profile_names(given: Mapping[str, Any], folder: Path) -> set[str] | None:
    """Names that came with a profile file; None: any, for the file lies elsewhere."""
    if "tables" not in given:
        return set()
    found: set[str] = set()
    for file in sorted((folder / "profiles").glob("*.yaml")):
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
        except yaml.YAMLError:
            continue
        if isinstance(content, dict) and content.get("tables") == given["tables"]:
            found |= set(content)
    return found or None


def _names(
    given: Collection[str],
    own: Collection[str],
    books: Mapping[str, Collection[str]],
    from_profile: set[str] | None,
) -> None:
    """Raise FersynError for the first given name that this notebook should not have been given."""
    if not own:
        return
    known = {name for names in books.values() for name in names}
    for name in given:
        if name in own or name == "tables" or (name in known and (from_profile is None or name in from_profile)):
            continue
        near = difflib.get_close_matches(name, own, 1) or difflib.get_close_matches(name, known - {name}, 1)
        if name in known:
            where = ", ".join(book for book, names in books.items() if name in names)
            raise FersynError(
                f"this notebook has no parameter '{name}', but {where} has; here there are: {', '.join(own)}"
            )
        hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(own)}"
        raise FersynError(f"there is no parameter '{name}'; {hint}")
