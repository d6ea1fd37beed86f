"""`copy`: the source itself. The floor that every method has to beat, and by how little it sometimes does."""

from __future__ import annotations

from fersyn.methods.base import Method, MethodConfig


class CopySource:
    """Synthesiser that changes nothing."""

    name, needs_landmarks = "copy", False

    def __init__(self, size: int):
        self.size = size

    def edit(self, faces, expression, intensity=1.0, landmarks=None, source_landmarks=None):
        """Return the faces as they are."""
        return faces.clone()


class Copy(Method):
    """Method without anything to train."""

    name, Config = "copy", MethodConfig

    def networks(self, config):
        """None."""
        return {}

    def optimisers(self, config, networks):
        """None."""
        return {}

    def synthesiser(self, config, networks, motion=None):
        """See the class."""
        return CopySource(config.size)


METHOD = Copy()
