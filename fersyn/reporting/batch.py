"""papermill given a whole profile: it warns of each parameter that the notebook at hand does not declare, and a profile holds those
of all notebooks. Of what another notebook of the project declares, nothing is said; a misspelt name is warned of, and refused by
the notebook itself (`parameters.check`).

papermill loads this file by itself, as an engine (pyproject.toml, ``papermill.engine``), which is papermill's own with another name.
"""

import logging
import re
from functools import lru_cache
from pathlib import Path

from papermill.engines import NBClientEngine

from fersyn.errors import FersynError
from fersyn.reporting import parameters, project

_WARNING = re.compile(r"Passed unknown parameter: (\w+)")


class Engine(NBClientEngine):
    """papermill's own engine."""


@lru_cache
def known(folder: Path) -> frozenset[str]:
    """What the notebooks of the project in a folder declare, and what stands in profiles besides; nothing outside a project. Read
    once: papermill warns some dozens of times.
    """
    found: set[str] = set()
    for book in project.notebooks(folder):
        try:
            found |= set(parameters.declared(book))
        except (FersynError, ValueError, KeyError):  # of no concern to whoever runs another one
            continue
    return frozenset(found | {"tables"} if found else found)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of papermill's log is to be printed."""
    found = _WARNING.fullmatch(record.getMessage())
    return found is None or found[1] not in known(project.root())


logging.getLogger("papermill").addFilter(_is_news)
