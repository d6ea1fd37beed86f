"""Imported once by the fork server: the workers forked from it share dlib's 100 MB of models and start at once."""

from fersyn.building import workers  # noqa: F401
from fersyn.faces import landmarks

landmarks._detector()
landmarks._predictor()
