import threading

import pytest

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.weights import download as module
from fersyn.weights.download import download


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)


def test_a_dropped_line_is_taken_up_where_it_broke(server, toy, content):
    server.stops, server.stop_after = 2, 300_000
    path = weights.fetch("toy")
    assert path.read_bytes() == content
    starts = [int(wanted.removeprefix("bytes=").rstrip("-") or 0) for _, wanted in server.asked]
    assert len(starts) == 3 and 0 == starts[0] < starts[1] < starts[2]
    assert not list(path.parent.glob(".*.part"))


def test_a_stopped_download_is_gone_on_with_by_the_next_call(server, content, digest, tmp_path):
    server.files["/a"] = content
    (tmp_path / ".a.part").write_bytes(content[:700_000])
    download(f"{server.url}/a", tmp_path / "a", digest, len(content))
    assert server.asked == [("/a", "bytes=700000-")] and (tmp_path / "a").read_bytes() == content


def test_a_part_that_is_whole_needs_no_network(content, digest, tmp_path):
    (tmp_path / ".a.part").write_bytes(content)
    download("http://127.0.0.1:9/a", tmp_path / "a", digest, len(content))
    assert (tmp_path / "a").read_bytes() == content


@pytest.mark.parametrize("part", [b"x" * 5000, b"x" * 3_000_000])
@pytest.mark.parametrize("size_known", [True, False])
def test_another_files_part_does_no_harm(server, content, digest, tmp_path, part, size_known):
    server.files["/a"] = content
    (tmp_path / ".a.part").write_bytes(part)
    download(f"{server.url}/a", tmp_path / "a", digest, len(content) if size_known else 0)
    assert (tmp_path / "a").read_bytes() == content


def test_a_server_without_ranges_sends_all_of_it(server, content, digest, tmp_path):
    server.files["/a"], server.ranges = content, False
    (tmp_path / ".a.part").write_bytes(content[:1000])
    download(f"{server.url}/a", tmp_path / "a", digest, len(content))
    assert (tmp_path / "a").read_bytes() == content


def test_another_file_than_expected_is_refused_and_leaves_nothing(server, digest, tmp_path):
    server.files["/a"] = b"something else"
    with pytest.raises(FersynError, match="another file than expected"):
        download(f"{server.url}/a", tmp_path / "a", digest)
    assert not list(tmp_path.glob("*a")) and not list(tmp_path.glob(".a*"))


def test_more_than_expected_ends_at_once(server, content, digest, tmp_path):
    server.files["/a"] = content
    with pytest.raises(FersynError, match="more than the expected 1000 bytes"):
        download(f"{server.url}/a", tmp_path / "a", digest, 1000)
    assert not (tmp_path / "a").exists()


def test_reasons(server, digest, tmp_path):
    with pytest.raises(FersynError, match="answers 404"):
        download(f"{server.url}/no", tmp_path / "a", digest)
    with pytest.raises(FersynError, match="cannot be reached"):
        download("http://127.0.0.1:9/a", tmp_path / "a", digest)
    (tmp_path / "file").write_text("")
    with pytest.raises(FersynError, match="file"):
        download(f"{server.url}/a", tmp_path / "file" / "a", digest)


def test_of_two_that_want_a_file_one_fetches_it(server, toy):
    paths = []
    threads = [threading.Thread(target=lambda: paths.append(weights.fetch("toy"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(paths)) == 1 and len(paths) == 3 and len(server.asked) == 1
