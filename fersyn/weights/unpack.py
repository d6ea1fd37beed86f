"""One member of an archive, as a file that is whole and checked."""

import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path

from fersyn.errors import FersynError
from fersyn.files import write_atomic
from fersyn.weights.checked import sha256_of
from fersyn.weights.registry import Form


def unpack(archive: Path, member: str, form: Form, target: Path) -> Path:
    """Write a zip or tar archive's member to `target`, whole and checked, or not at all.

    `member` is the end of its path inside the archive.

    Raises:
        FersynError: there is none, or it is another file than `form` says.
    """

    def write(path: Path) -> None:
        with path.open("wb") as file:
            _copy(archive, member, form.bytes, file)
        digest = sha256_of(path)
        if digest != form.sha256:
            raise FersynError(f"{archive.name}: its {member} is another file than expected (SHA-256 {digest})")

    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, write)
    return target


def _copy(archive: Path, member: str, limit: int, file) -> None:
    def wanted(name: str) -> bool:
        return f"/{name}".endswith(f"/{member}")

    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                names = [info for info in packed.infolist() if wanted(info.filename) and info.file_size == limit]
                if names:
                    with packed.open(names[0]) as stream:
                        return shutil.copyfileobj(stream, file)
        else:
            with tarfile.open(archive) as packed:
                for info in packed:
                    if info.isfile() and wanted(info.name) and info.size == limit:
                        return shutil.copyfileobj(packed.extractfile(info), file)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        raise FersynError(f"{archive.name} is damaged ({error})") from error
    raise FersynError(f"{archive.name} has no {member} of {limit} bytes")
