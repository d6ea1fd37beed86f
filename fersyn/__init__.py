"""fersyn: a Jupyter research kit for facial expression synthesis.

``README.md`` has the two commands that run everything, ``docs/architecture.md`` the rooms of the package.
"""

__version__ = "0.1.0"
