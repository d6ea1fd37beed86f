"""Download one file: goes on where an earlier try stopped, and is checked before it gets its name.

Two processes must not fetch the same file at once; `fetch` sees to it.
"""

import time
from contextlib import nullcontext
from pathlib import Path

import requests

from fersyn.errors import FersynError
from fersyn.progress import Progress
from fersyn.weights.places import sha256_of

TIMEOUT = (15, 60)  # seconds to connect, and between two pieces
TRIES = 4
_BLOCK = 1 << 18
_MEGABYTE = 1_000_000
_REASONS = {  # the first that fits: the others are connection errors too
    requests.exceptions.SSLError: "its certificate is not trusted (set REQUESTS_CA_BUNDLE, or pip's cert)",
    requests.Timeout: "no answer in time",
    requests.exceptions.ProxyError: "the proxy does not let it through",
    requests.ConnectionError: "cannot be reached",
}


def download(url: str, target: Path, sha256: str, size: int = 0, cert: str = "", progress: bool = True) -> Path:
    """Fetch `url` to `target`; a partial file `.NAME.part` stays beside it when stopped, and is gone on with.

    Args:
        url: http or https address.
        target: file to write; its folder is made.
        sha256: hex digits the file must have.
        size: bytes the file should have, for the progress and as a limit; 0 where unknown.
        cert: file of certificates to trust instead of the usual ones.
        progress: show it.

    Raises:
        FersynError: not reached, not found, no room, or another file than expected; the message says which, without the
            address.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        resumed = _length(part) > 0
        digest = _to_part(url, part, size, cert, progress)
        if digest != sha256 and resumed:  # an earlier try's part may have been another file's, or broken
            part.unlink()
            digest = _to_part(url, part, size, cert, progress)
        if digest != sha256:
            part.unlink()
            raise FersynError(f"another file than expected came: its SHA-256 is {digest}, not {sha256}")
        part.replace(target)
    except OSError as error:  # requests' errors are OSErrors too
        raise FersynError(_reason(error)) from error
    return target


def _to_part(url: str, part: Path, size: int, cert: str, progress: bool) -> str:
    """Complete the partial file, however often the line drops as long as something comes; returns its SHA-256."""
    with requests.Session() as session:
        if cert:
            session.verify = cert
        for left in reversed(range(TRIES)):
            before = _length(part)
            try:
                _once(session, url, part, size, progress)
                break
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                if not left or _length(part) <= before:  # nothing came: it will not come now either
                    raise
                time.sleep(0.5)
    return sha256_of(part)


def _once(session: requests.Session, url: str, part: Path, size: int, progress: bool) -> None:
    have = _length(part)
    if size and have == size:
        return
    if size and have > size:
        part.unlink()
        have = 0
    # Ranges count the bytes of the file as it is: no compression on the way.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as reply:
        if reply.status_code == 416 and have:  # the partial file is as long as the whole, or longer
            part.unlink()
            return _once(session, url, part, size, progress)
        reply.raise_for_status()
        if reply.status_code != 206:
            have = 0  # the server sends all of it
        length = size or have + int(reply.headers.get("Content-Length", 0))
        title, whole = part.name.lstrip(".").removesuffix(".part"), -(-length // _MEGABYTE)
        meter = Progress(whole, title, have // _MEGABYTE, unit="MB") if progress else None
        with part.open("ab" if have else "wb") as file, meter or nullcontext():
            for block in reply.iter_content(_BLOCK):
                file.write(block)
                have += len(block)
                if size and have > size:
                    raise OSError(f"more than the expected {size} bytes came")
                if meter and (more := (whole if have == length else have // _MEGABYTE) - meter.done):
                    meter.advance(more)
        if have < length:
            raise requests.ConnectionError("the line was closed too early")


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(error: OSError) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answers {error.response.status_code} {error.response.reason}"
    return next((told for kind, told in _REASONS.items() if isinstance(error, kind)), str(error))
