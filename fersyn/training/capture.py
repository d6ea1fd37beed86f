"""Steps of a training as a CUDA graph: the host then asks a GPU once a step, not for each of hundreds of small operations.

A graph repeats what was captured, at the places in memory where it was captured. So it is for methods whose steps are alike
(`Method.steady`), on one GPU: the batch is copied to where the captured one lies, learning rates are numbers on the device, and what is drawn
follows from the generator's seed as in any step. A graph is trusted only after it has done to losses and weights what the step itself
does; where it does not, or cannot be captured, the training goes on without, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from fersyn.progress import say

WARM = 3  # steps before the capture: libraries choose their ways, optimisers make their states
ALIKE = 0.05  # part by which losses and lengths of the weights' ways may differ: sums on a GPU have no fixed order

Step = Callable[[Any], dict[str, Tensor]]


def record(work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
    """Capture what `work` asks the GPU for, which does nothing yet; what repeats it, and where the result then lies."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = work()
    return graph.replay, result


def aside(work: Callable[[], Any]) -> Any:
    """Do something on a stream of its own, as CUDA wants it before a capture."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        result = work()
    torch.cuda.current_stream().wait_stream(stream)
    return result


class Captured:
    """Takes steps; called with a batch (a dataclass of tensors), it returns the losses by name.

    Args:
        step: takes one; it returns detached scalars on the device.
        state: all tensors that a step changes.
        reseed: sets the random generators as they were before the step.

    Attributes:
        replay: repeats the captured step; None: it is not captured yet, or never will be (`refused`).
    """

    def __init__(self, step: Step, state: Callable[[], Iterable[Tensor]], reseed: Callable[[], None]):
        self.step, self.state, self.reseed = step, state, reseed
        self.taken, self.refused, self.replay = 0, False, None

    def __call__(self, batch: Any) -> dict[str, Tensor]:
        """Take a step."""
        self.taken += 1
        if self.refused:
            return self.step(batch)
        if self.taken <= WARM:
            return aside(lambda: self.step(batch))
        if self.replay is None:
            return self._capture(batch)
        for field in fields(batch):
            getattr(self.batch, field.name).copy_(getattr(batch, field.name))
        self.replay()
        return self._losses()

    def _losses(self) -> dict[str, Tensor]:
        return dict(zip(self.names, self.values.clone().unbind(), strict=True))  # the next step writes over them

    def _capture(self, batch: Any) -> dict[str, Tensor]:
        """Capture the step, and take it both ways from the same state."""
        self.batch = type(batch)(**{field.name: getattr(batch, field.name).clone() for field in fields(batch)})

        def work() -> Tensor:
            losses = self.step(self.batch)
            self.names = list(losses)
            return torch.stack(list(losses.values()))

        before = [each.clone() for each in self.state()]
        try:
            replay, self.values = record(work)
        except RuntimeError as error:
            self.reseed()
            return self._refuse(f"it cannot be captured ({str(error).strip().splitlines()[0]})", self.step(batch))
        self.reseed()
        losses = self.step(batch)
        after = [each.clone() for each in self.state()]
        self._restore(before)
        self.reseed()
        replay()
        if not self._alike(torch.stack(list(losses.values())), before, after):
            self._restore(after)
            return self._refuse("as one it does not do what it does by itself", losses)
        self.replay = replay
        return self._losses()

    def _refuse(self, why: str, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        self.refused = True
        say(f"steps are not taken as a CUDA graph: {why}. The training goes on without, slower")
        return losses

    def _restore(self, values: list[Tensor]) -> None:
        with torch.no_grad():
            for own, value in zip(self.state(), values, strict=True):
                own.copy_(value)

    def _alike(self, losses: Tensor, before: list[Tensor], after: list[Tensor]) -> bool:
        """Whether the graph's step gave these losses, and moved the state about as far as from `before` to `after`."""
        near = torch.isclose(self.values, losses, rtol=ALIKE, atol=ALIKE / 10).all()
        ways = [_way(before, after), _way(before, [each.detach() for each in self.state()])]
        return bool(near & torch.isclose(ways[1], ways[0], rtol=ALIKE))


def _way(before: list[Tensor], after: list[Tensor]) -> Tensor:
    """How far floats have moved in all."""
    pairs = zip(before, after, strict=True)
    return torch.stack([(b - a).detach().norm() for a, b in pairs if a.is_floating_point()]).norm()
