"""The guided mapper: where in W+ of a generator each expression and each facial action lies, person by person. [ours]

    w+ = w + neutral(w) + strength * expression(w) + actions(w)

Offsets go to the styles of the levels of 8 to 64 px alone, in units of the principal axes of w and their deviations, so
that a penalty on their square keeps to what the generator knows: hair, light, background and fine texture keep the
person's own styles. Neutral is an expression like the others (most of FFHQ's people smile), and comes first. The published
relative is EmoStyle (Azari and Lim, WACV 2024), which is guided by valence and arousal. `shipped/README.md` has the card
of the one that comes with the kit.

Example:
    >>> generator = generators.get()                                        # doctest: +SKIP
    >>> mapper = expression_mapper.get(generator)                           # doctest: +SKIP
    >>> w = generator.sample(torch.randn(1, generator.width))               # doctest: +SKIP
    >>> face = generator.synthesise(mapper.edit(w, "fear"), 256)            # doctest: +SKIP
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS, STRONGEST, parse
from fersyn.nets import shipped
from fersyn.nets.instruments import ACTIONS
from fersyn.nets.stylegan import Generator
from fersyn.pixels import onto

FILE = "mapper.safetensors"
STYLES = range(3, 13)  # of MobileStyleGAN: those of the levels of 8 to 64 px
GUIDES = ("fer", "facex", "actions", "sface", "dlib")  # instruments that a mapper may have learnt to please
# Its own order of expressions: the rows of its tables.
MOVED = tuple(name for name in EXPRESSIONS if name != "neutral")
NEUTRAL, NONE = len(MOVED), len(MOVED) + 1


class ExpressionMapper(nn.Module):
    """``forward``: w in units of the axes, a row of its tables, strength, wanted actions -> offsets, see there.

    Args:
        styles: how many it moves.
        width: of w.
        rank: directions an expression, which a person mixes for itself.
        hidden: units that see the person.
        action_rank: the same as `rank`, of all actions together.

    Attributes:
        mean, sd, axes: of w: middle (width,), deviations (width,) along the principal axes (width, width), by rows.
        manner_mean: (rows, 52) mean displacements of the actions by expression, of the people it learnt manners from.
        moved: which styles of W+ get offsets.
        gain: displacements of actions at strength 1, in those of these people.
        guides: which of GUIDES it has learnt to please: they are no judges of its faces.
    """

    def __init__(
        self, styles: int = len(STYLES), width: int = 512, rank: int = 48, hidden: int = 256, action_rank: int = 96
    ):
        super().__init__()
        self.moved, self.gain, self.guides = range(STYLES.start, STYLES.start + styles), 1.3, GUIDES
        wide, kinds = styles * width, len(MOVED) + 1
        self.base = nn.Parameter(torch.zeros(kinds, styles, width))  # the same for all people
        self.curve = nn.Parameter(torch.zeros(kinds, styles, width))  # what bends it between strength 0 and 1
        # Half of it is for neutral, which stays as it is while the rest learns.
        self.person = nn.Linear(width, 2 * hidden)
        self.heads, self.neutral_head = nn.Linear(hidden, len(MOVED) * rank), nn.Linear(hidden, rank)
        self.basis = nn.Parameter(0.002 * torch.randn(kinds, rank, wide))
        self.action = nn.Parameter(torch.zeros(len(ACTIONS), wide))
        self.action_in = nn.Linear(len(ACTIONS), action_rank, bias=False)
        self.action_gate = nn.Linear(hidden, action_rank)
        self.action_basis = nn.Parameter(0.002 * torch.randn(action_rank, wide))
        for head in (self.heads, self.neutral_head):
            nn.init.normal_(head.weight, std=0.02)
            nn.init.zeros_(head.bias)
        for name, shape in {"mean": (width,), "sd": (width,), "axes": (width, width)}.items():
            self.register_buffer(name, torch.zeros(shape))
        self.register_buffer("manner_mean", torch.zeros(NONE + 1, len(ACTIONS)))

    def white(self, w: Tensor) -> Tensor:
        """w (N, width) in units of its deviations along the axes."""
        return ((w - self.mean) @ self.axes.t()) / self.sd

    def forward(self, white: Tensor, row: Tensor, strength: Tensor, actions: Tensor) -> Tensor:
        """Offsets (N, styles, width) in units of the deviations; all zero at strength 0 and actions 0.

        Args:
            white: (N, width), what `white` gave.
            row: int64 (N,), of MOVED; NEUTRAL: back to neutral; NONE: actions alone.
            strength: (N,), 0 .. 1.3.
            actions: (N, 52) wanted displacements of the actions, beside the expression's own.
        """
        styles, width = self.base.shape[1:]
        hidden, calm = functional.leaky_relu(self.person(0.1 * white), 0.2).chunk(2, 1)
        kind = row.clamp_max(NEUTRAL)
        asked = torch.cat([self.heads(hidden), self.neutral_head(calm)], 1).unflatten(1, (len(self.base), -1))
        here = kind[:, None] == torch.arange(len(self.base), device=white.device)
        # One product for all expressions, what was not asked for being 0: no copy of the basis for each face.
        offset = (here[:, :, None] * asked).flatten(1) @ self.basis.flatten(0, 1)
        bend = (strength - 1)[:, None, None] * self.curve[kind]
        offset = offset.unflatten(1, (styles, width)) + self.base[kind] + bend
        gate = 1 + torch.tanh(self.action_gate(hidden))
        beside = actions @ self.action + (self.action_in(actions) * gate) @ self.action_basis
        return ((row != NONE) * strength)[:, None, None] * offset + beside.unflatten(1, (styles, width))

    def alike(self, w: Tensor) -> ExpressionMapper:
        """Another mapper, which moves everybody in the way that this one moves people of w (N, width) in the mean."""
        other = copy.deepcopy(self)
        with torch.no_grad():
            hidden = functional.leaky_relu(self.person(0.1 * self.white(w)), 0.2).chunk(2, 1)[0]
            other.heads.bias.copy_(self.heads(hidden).mean(0))
            other.heads.weight.zero_()
        return other

    @torch.no_grad()
    def take_neutral(self, other: ExpressionMapper) -> None:
        """Make neutral faces as another mapper of the same shape does."""
        for name in ("base", "curve", "basis"):
            getattr(self, name)[NEUTRAL] = getattr(other, name)[NEUTRAL]
        calm = len(self.person.bias) // 2
        for mine, its in ((self.person, other.person), (self.neutral_head, other.neutral_head)):
            first = calm if mine is self.person else 0
            mine.weight[first:], mine.bias[first:] = its.weight[first:], its.bias[first:]
        for name in ("mean", "axes", "sd"):  # its numbers are in these units
            getattr(self, name).copy_(getattr(other, name))

    def add(self, layers: Tensor, offsets: Tensor) -> Tensor:
        """W+ (N, all styles, width) and offsets as `forward` gives them -> W+."""
        first, last = self.moved.start, self.moved.stop
        moved = layers[:, first:last] + (offsets * self.sd) @ self.axes
        return torch.cat([layers[:, :first], moved, layers[:, last:]], 1)

    def edit(
        self,
        w: Tensor,
        expression: str | Sequence[str],
        strength: float | Tensor = 1.0,
        actions: Tensor | Mapping[str, float] | None = None,
        styles: int = 23,
        manner: Tensor | None = None,
    ) -> Tensor:
        """The person's own neutral face, moved: W+ (N, styles, width).

        Args:
            w: (N, width), or W+ (N, styles, width): then the mean of its moved styles says who it is.
            expression: one for all, or N; "neutral": the neutral face itself.
            strength: 0 neutral .. 1 a posed expression .. 1.5, one or (N,).
            actions: wanted displacements beside the expression's own: (N, 52) in the order of ACTIONS, or some by name.
            styles: of W+, where w is given.
            manner: how one person shows the expression instead of the mean of people: the displacements of the actions
                from that person's own neutral face, (52,) or (N, 52).

        Raises:
            FersynError: no such expression or action; a strength out of range; actions of another shape.
        """
        w = onto(w, self.mean.device)
        names = [expression] * len(w) if isinstance(expression, str) else list(expression)
        rows = [NONE if parse(name) == "neutral" else MOVED.index(parse(name)) for name in names]
        strength = torch.as_tensor(strength, dtype=w.dtype, device=w.device).expand(len(w))
        # Asking a GPU would make it wait.
        if strength.device.type == "cpu" and not ((strength >= 0) & (strength <= STRONGEST)).all():
            raise FersynError(
                f"strengths must lie between 0 and {STRONGEST}, got {strength.min():g} .. {strength.max():g}"
            )
        if not isinstance(actions, Tensor):
            actions = onto(sliders(actions or {}).to(w.dtype), w.device).expand(len(w), -1)
        if len(rows) != len(w) or actions.shape != (len(w), len(ACTIONS)):
            raise FersynError(
                f"{len(w)} faces take as many expressions and actions (N, {len(ACTIONS)}), "
                f"got {len(rows)} and {tuple(actions.shape)}"
            )
        layers = w if w.ndim == 3 else w[:, None].expand(-1, styles, -1)
        white = self.white(layers[:, self.moved.start : self.moved.stop].mean(1) if w.ndim == 3 else w)
        row = onto(torch.tensor(rows), w.device)
        if manner is not None:
            actions = actions + self.gain * strength[:, None] * (manner.to(w) - self.manner_mean[row])
        calm = self(white, torch.full_like(row, NEUTRAL), torch.ones_like(strength), torch.zeros_like(actions))
        return self.add(layers, calm + self(white, row, strength, actions))


def sliders(actions: Mapping[str, float]) -> Tensor:
    """Wanted displacements by name, -1 .. 1, as (52,) in the order of ACTIONS; it has learnt up to 0.9.

    Raises:
        FersynError: there is no such action; a displacement out of range.
    """
    if unknown := sorted(set(actions) - set(ACTIONS[1:])):
        raise FersynError(f"there is no action {unknown[0]!r}; use some of: {', '.join(ACTIONS[1:])}")
    for name, amount in actions.items():
        if not -1 <= amount <= 1:
            raise FersynError(f"{name} = {amount:g}: it must lie between -1 and 1")
    return torch.tensor([float(actions.get(name, 0)) for name in ACTIONS])


def get(generator: Generator, file: str | Path = FILE) -> ExpressionMapper:
    """The mapper that comes with the kit, or another one of `file`, ready for use on the generator's device.

    Raises:
        FersynError: the file is missing, damaged or no mapper, or has learnt on another generator.
    """
    state, about = shipped.read(file, generator.fingerprint)
    try:
        styles, width = state["base"].shape[1:]
        with torch.random.fork_rng(devices=[]):
            mapper = ExpressionMapper(styles, width, **about["config"])
        mapper.moved, mapper.gain = range(int(about["first"]), int(about["last"])), float(about["gain"])
        mapper.guides = _pleased(about)
        mapper.load_state_dict(state)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise FersynError(
            f"{file} is no mapper of expressions ({error}); take the one of a finished training"
        ) from error
    return mapper.eval().requires_grad_(False).to(generator.device)


def guides(file: str | Path = FILE) -> tuple[str, ...]:
    """`ExpressionMapper.guides` of a file, without its weights or a generator; raises FersynError where it is damaged."""
    try:
        return _pleased(shipped.about(file))
    except (KeyError, TypeError) as error:
        raise FersynError(f"{file} does not name its guides ({error}); take the one of a finished training") from error


def _pleased(about: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in GUIDES if about["weights"][name])
