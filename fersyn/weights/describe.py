"""What is there, in words: for the command `fersyn weights` and for the foot of a report."""

from collections.abc import Iterable

from fersyn.weights.places import locate
from fersyn.weights.registry import entry


def about(names: Iterable[str]) -> list[dict]:
    """One dict of strings a name: name, use, licence, file, sha256, source; nothing of this machine's folders.

    Where the weights are missing, file and sha256 are "" and source says "missing: " and what is used instead.

    Raises:
        FersynError: no weights have one of these names.
    """
    rows = []
    for name in names:
        item, found = entry(name), locate(name)
        rows.append(
            {
                "name": name,
                "use": item.use,
                "licence": item.licence,
                "file": found.path.name if found else "",
                "sha256": found.sha256 if found else "",
                "source": found.origin if found else f"missing: {item.instead}",
            }
        )
    return rows
