"""`copy`: the source itself. The floor that every method has to beat, and by how little it sometimes does."""

from __future__ import annotations

from fersyn.methods.base import Method, MethodConfig, Synthesiser


class Copy(Method):
    """Method without anything to train."""

    needs_landmarks = False

    def synthesiser(self, config, networks, motion=None):
        """See the class."""
        return CopySource(config.size)


class CopySource(Synthesiser):
    """Synthesiser that changes nothing; `size` is that of its pictures, px."""

    def __init__(self, size: int):
        super().__init__(METHOD, MethodConfig(size=size), {})

    def make(self, faces, source, target, label, intensity):
        """Return the faces as they are."""
        return faces.clone()


METHOD = Copy()
