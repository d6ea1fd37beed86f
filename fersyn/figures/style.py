"""One look for all charts: colours that colour-blind readers tell apart, and text at the size of the page's."""

import contextlib
from collections.abc import Iterator

from fersyn.expressions import EXPRESSIONS

INK, SOFT, LINE = "#1c2128", "#5b6470", "#d5d8dd"
BLUE, ORANGE, GREEN, RED = "#1f6fb4", "#d9730d", "#2b8a57", "#b3261e"

# Paul Tol's "muted" scheme, plus a grey for neutral.
COLOURS = dict(
    zip(
        EXPRESSIONS,
        ("#888888", "#882255", "#aa4499", "#117733", "#332288", "#ddaa33", "#4499cc", "#cc6677"),
        strict=True,
    )
)

_RC = {
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


@contextlib.contextmanager
def look() -> Iterator[None]:
    """Applies the kit's matplotlib settings inside a ``with``."""
    import matplotlib

    with matplotlib.rc_context(_RC):
        yield


def new(width: float = 7.2, height: float = 3.2, **options):
    """A figure and its axes, ``width`` and ``height`` in inches at 72 px each; off screen, whatever the backend."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure, figure.subplots(**options)
