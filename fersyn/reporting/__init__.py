"""Notebooks to HTML: provenance and numbers on record, papermill, nbconvert, the Snakefile's plan, the index page.

For notebooks::

    from fersyn.reporting import Record, locate
"""

from fersyn.reporting.project import locate
from fersyn.reporting.record import Record
from fersyn.reporting.run import report

__all__ = ["Record", "locate", "report"]
