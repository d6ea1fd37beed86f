"""Notebooks to HTML: provenance and numbers on record, papermill, nbconvert, the Snakefile's plan, the index page.

For notebooks::

    from fersyn.reporting import Record, locate, parameters

What is imported here, every notebook depends on: not the plan, which knows all notebooks' trainings.
"""

from fersyn.reporting import parameters
from fersyn.reporting.project import locate
from fersyn.reporting.record import Record

__all__ = ["Record", "locate", "parameters"]
