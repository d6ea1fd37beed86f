"""fersyn: a Jupyter research kit for facial expression synthesis.

Data flow down the rooms of the package, and an import only ever goes up::

    datasets, rendering -> faces -> table, splits -> evaluation -> reporting -> cli

See ``README.md`` for the two commands that run everything.
"""

__version__ = "0.1.0"
