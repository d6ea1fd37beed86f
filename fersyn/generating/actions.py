"""Single facial actions, as somebody asks a generated person for them: by name, one side or both."""

from collections.abc import Iterable, Mapping

from fersyn.errors import FersynError
from fersyn.files import data_of

# Those that do something; a name without Left or Right is both sides.
WELL, LITTLE = (tuple(names) for names in data_of(__file__).values())

_WAYS = ("jaw", "mouth")  # their Left and Right are ways to go, and no sides


def read(texts: Iterable[str]) -> dict[str, float]:
    """NAME=AMOUNT, as a command line has them, by name; raises FersynError for anything else."""
    found = {}
    for text in texts:
        name, _, amount = text.partition("=")
        try:
            found[name.strip()] = float(amount)
        except ValueError:
            raise FersynError(f"--action {text}: write NAME=AMOUNT, as in jawOpen=0.5") from None
    return found


def both_sides(amounts: Mapping[str, float]) -> dict[str, float]:
    """The same with a name that lacks its Left or Right as those two; a side that is named itself counts."""
    from fersyn.nets.instruments import ACTIONS

    found = {}
    for name, amount in amounts.items():
        pair = [f"{name}{side}" for side in ("Left", "Right")]
        sided = set(pair) <= set(ACTIONS) and name not in _WAYS
        found |= dict.fromkeys(pair if sided else [name], float(amount))
    return found | {name: float(amount) for name, amount in amounts.items() if name in ACTIONS}
