"""Errors that a user can mend: each message names the file or the setting, and the cure.

The command line prints such an error as one line on stderr and ends with exit code 2; everything else is a fault of
ours and shows its traceback.
"""


class FersynError(Exception):
    """Base of all errors whose message is meant for the user."""


class UnreadablePhoto(FersynError):
    """A picture file that cannot be decoded; the message says why."""


class NoFace(FersynError):
    """A picture in which dlib finds no face."""


class LayoutError(FersynError):
    """A data set that does not lie on disk as it is distributed."""


class TableError(FersynError):
    """A face table that is missing, unfinished or damaged, or that another request has built."""


class SubjectLeak(FersynError):
    """The same person stands on both sides of a split."""
