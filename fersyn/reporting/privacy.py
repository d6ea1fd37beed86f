"""What keeps a shared file harmless: paths, the home folder, the host's and the user's name go; a report that shows
everybody lies in a folder of its own and says so on each page.

Faces are kept out where they are drawn: every figure asks `fersyn.figures.pictured` which rows it may show.
"""

import getpass
import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from fersyn.reporting import project

BANNER = "PRIVATE: shows people who did not agree to be shown; do not pass on"
# Names of hosts and users that tell nobody anything, and would take words out of the text.
COMMON = frozenset(
    "localhost laptop desktop server home host user users root admin administrator runner ubuntu debian fedora jovyan "
    "paper smoke report docker python test guest".split()
)
# A text output or a message that is longer is cut: no page needs it, and bytes of a picture can stand in it.
MOST_TEXT = 20_000
# An absolute path of at least two parts that starts a word: not a URL, not "and/or", not an HTML tag's end.
# Quotes or spaces inside the path end it; its last part is kept, so that a message still names the file.
_PATH = re.compile(r"(?<![\w/.<~+&-])/(?:[\w.@+~-]+/)+([\w.@+~-]+)")
# One in quotes may hold anything but these.
_QUOTED = re.compile(r"""(?<=(["']))/(?:(?!\1)[^/\n<>])+/(?:(?!\1)[^\n<>])*(?=\1)""")
# Where one may begin, with what follows in the line: for those with spaces and brackets that lie on this machine.
_BEGINS = re.compile(r"(?<![\w/.<~+&-])/\w[^\n\"'<>]{1,300}")
# One that leads out of the project: `../anna/faces/a.png`.
_OUTSIDE = re.compile(r"(?<![\w/:.])(?:\.\./)+(?:[\w.@+~-]+/)+([\w.@+~-]+)")
_WINDOWS_PATH = re.compile(r"(?<![\w/])[A-Za-z]:\\(?:[\w.@+~ -]+\\)+([\w.@+~-]+)")
# Pictures, left as they are; and terminal colours, whose letter "m" would look like the start of a word before a path.
_APART = re.compile(r"(data:[\w/+.-]+;base64,[A-Za-z0-9+/=\s]+|\x1b\[[0-9;]*m)")


@lru_cache(maxsize=1)
def _replacements() -> list[tuple[str, str]]:
    """Known prefixes and what stands for them, the longest first."""
    prefixes = {
        str(project.root()): ".",
        str(Path(__file__).resolve().parents[2]): ".",
        sys.prefix: ".venv",
        sys.base_prefix: "python",
    }
    found = [(prefix.rstrip("/") + "/", name + "/") for prefix, name in prefixes.items() if len(prefix) > 1]
    return sorted(found, key=lambda pair: -len(pair[0]))


def scrub(text: str) -> str:
    """``text`` without absolute paths and without this machine's name; pictures in data URIs are left as they are.

    A path below the project becomes relative, one elsewhere keeps its last part: ``/home/anna/x/a.png`` -> ``…/a.png``.
    """
    parts = _APART.split(text)
    parts[::2] = [_scrub_plain(part) for part in parts[::2]]
    return "".join(parts)


def _scrub_plain(text: str) -> str:
    for prefix, name in _replacements():
        # Only where the prefix starts a path: with root "/" or "/app", "https://x/app/" must stay.
        text = re.sub(rf"(?<![\w:/.]){re.escape(prefix)}", name, text)
    home = str(Path.home())
    if len(home) > 1:
        text = re.sub(rf"(?<![\w:/.]){re.escape(home)}(?![\w/-])", "~", text)
    text = _QUOTED.sub(lambda found: _last(found[0]), text)
    text = _BEGINS.sub(_existing, text)
    text = _PATH.sub(r"…/\1", text)
    text = _OUTSIDE.sub(r"…/\1", text)
    text = _WINDOWS_PATH.sub(r"…/\1", text)
    host = platform.node()
    for name, word in ((host, "host"), (host.partition(".")[0], "host"), (_user(), "user")):
        if len(name) > 3 and name.lower() not in COMMON:
            text = re.sub(rf"\b{re.escape(name)}\b", word, text)
    return text


def _last(path: str) -> str:
    return f"…/{path.rstrip('/').rpartition('/')[2]}"


def _existing(found: re.Match) -> str:
    """The text with the longest path at its beginning that is there on this machine cut to its last part."""
    text = found[0]
    if text.count("/") > 1 and os.path.isdir(text[: text.index("/", 1)]):
        ends = [len(text), *(end.start() for end in reversed(list(re.finditer(r"[^\w/]", text))))]
        for end in ends:
            if text[:end].rstrip("/").count("/") > 1 and os.path.exists(text[:end]):
                return _last(text[:end]) + _BEGINS.sub(_existing, text[end:])
    return text


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a number without a name, as in some containers
        return ""


def shorten(text: Any, most: int = MOST_TEXT) -> Any:
    """``text``, or its first ``most`` characters and how many more there were; of a list, each."""
    if isinstance(text, list):
        return [shorten(each, most) for each in text]
    if len(text) <= most:
        return text
    return f"{text[:most]}… ({len(text) - most} more characters are left out)"


def folder_of(profile: str, parameters: Iterable[Mapping[str, Any]]) -> str:
    """Where a report lies: ``reports/<profile>``, or beside it where a notebook's ``parameters`` show everybody."""
    private = any(each.get("private") for each in parameters)
    return f"reports/{profile}-private" if private else f"reports/{profile}"


def scrub_all(value: Any) -> Any:
    """:func:`scrub` applied to every string in a JSON-like value, keys included."""
    if isinstance(value, str):
        # A parameter, mostly: whatever its folders are called, they go.
        whole = re.match(r"/[^/\n]+/[^\n]+$", value) and "://" not in value and ": " not in value
        return _last(scrub(value)) if whole else scrub(value)
    if isinstance(value, dict):
        return {scrub_all(key): scrub_all(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [scrub_all(item) for item in value]
    return value


def scrub_notebook(notebook: Any) -> Any:
    """Cleans a notebook's outputs, injected parameters and papermill's metadata in place; pictures stay untouched, overlong
    texts are cut.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = scrub(cell.source)
            for output in cell.get("outputs", []):
                data = output.get("data", {})
                data |= {mime: scrub_all(value) for mime, value in data.items() if not mime.startswith("image/")}
                output |= {key: scrub_all(output[key]) for key in ("text", "traceback", "evalue") if key in output}
                for told, key in ((output, "text"), (output, "traceback"), (output, "evalue"), (data, "text/plain")):
                    if key in told:
                        told[key] = shorten(told[key])
        else:
            cell.source = scrub(cell.source)  # papermill's error banner is a text cell
        if "papermill" in cell.metadata:
            cell.metadata["papermill"] = scrub_all(dict(cell.metadata["papermill"]))
    if "papermill" in notebook.metadata:
        about = scrub_all(dict(notebook.metadata["papermill"]))
        # Where papermill worked: temporary files.
        notebook.metadata["papermill"] = {key: value for key, value in about.items() if not key.endswith("_path")}
    return notebook
