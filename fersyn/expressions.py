"""The eight expressions of the kit and the names under which data sets know them.

The order is that of CK+'s emotion files (0 neutral, 1 anger ... 7 surprise; Lucey et al., CVPRW 2010) with neutral in
front: by luck it is also the alphabetical one. A label is an index into `EXPRESSIONS` everywhere in the kit.
"""

import re

from fersyn.errors import FersynError

STRONGEST = 1.5  # intensity that can be asked for; 1 is a clear, posed expression
EXPRESSIONS = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
NEUTRAL = EXPRESSIONS.index("neutral")

# Only words that mean the same: "shocked" (surprise with fear), "smug" or "frustrated" are left out on purpose.
_SYNONYMS = {
    "neutral": ("neutrality", "normal", "ne", "neu", "expressionless"),
    "anger": ("angry", "an", "ang"),
    "contempt": ("contemptuous", "co", "con", "scorn"),
    "disgust": ("disgusted", "di", "dis"),
    "fear": ("fearful", "scared", "afraid", "frightened", "fe", "fea"),
    "happiness": ("happy", "ha", "hap", "joy", "joyful", "smile", "smiling"),
    "sadness": ("sad", "sa", "unhappy"),
    "surprise": ("surprised", "su", "sur"),
}
_BY_NAME = {name: expression for expression, names in _SYNONYMS.items() for name in (expression, *names)}


def parse(name: str) -> str:
    """Return the expression that `name` means (any case; surrounding blanks, digits, '-' and '_' are ignored:
    '04_Happy').

    Raises:
        FersynError: the name is none of the eight, nor a synonym of one.
    """
    word = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", str(name)).lower()
    if word not in _BY_NAME:
        raise FersynError(
            f"'{name}' is no expression; use one of: {', '.join(EXPRESSIONS)} (or happy, sad, angry, surprised, "
            "scared ...)"
        )
    return _BY_NAME[word]


def index(name: str) -> int:
    """Return the label, 0..7, of an expression or a synonym of it; raises FersynError as `parse` does."""
    return EXPRESSIONS.index(parse(name))
