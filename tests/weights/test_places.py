import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.weights import places
from fersyn.weights.places import damaged, folder, hub_folder, locate


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_found_in_our_cache_and_in_torch_hubs(register, content):
    register(hub=True)
    assert weights.find("toy") is None
    there = put(hub_folder() / "toy.bin", content)
    assert weights.find("toy") == there
    register(name="own")
    there = put(folder() / "own.bin", content)
    assert weights.find("own") == there and weights.fetch("own") == there


def test_torch_hubs_folder_is_the_same_without_torch(monkeypatch, tmp_path):
    monkeypatch.undo()
    for values in ({"TORCH_HOME": str(tmp_path)}, {"XDG_CACHE_HOME": str(tmp_path)}, {}):
        with monkeypatch.context() as patch:
            for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
                patch.delenv(name, raising=False)
            for name, value in values.items():
                patch.setenv(name, value)
            expected = hub_folder()
            patch.delitem(weights.places.sys.modules, "torch")
            assert hub_folder() == expected


def test_another_file_of_that_name_is_not_used(register, content, server):
    from fersyn.weights.registry import Address

    register(Address(f"{server.url}/toy.bin"))
    wrong = put(folder() / "toy.bin", content[:-1] + b"!")
    assert weights.find("toy") is None and damaged("toy") == [wrong]
    server.files["/toy.bin"] = content
    assert weights.fetch("toy") == wrong and wrong.read_bytes() == content and damaged("toy") == []


def test_a_file_is_read_once(register, content, monkeypatch):
    register()
    path = put(folder() / "toy.bin", content)
    read = []
    monkeypatch.setattr(places, "sha256_of", lambda p, own=places.sha256_of: read.append(p) or own(p))
    for _ in range(2):
        assert weights.find("toy")
        places._seen.clear()  # as in the next process
    assert len(read) == 1
    os.utime(path, ns=(1, 1))
    assert weights.find("toy") and len(read) == 2
    put(path, content[:-1] + b"!")
    assert weights.find("toy") is None and len(read) == 3
    (folder() / "checked.json").write_text("[broken")
    places._seen.clear()
    assert weights.find("toy") is None and len(read) == 4


def test_a_cache_that_cannot_be_written_to_costs_a_second_reading_no_error(register, content, monkeypatch):
    register()
    put(folder() / "toy.bin", content)
    (folder() / "checked.json").mkdir()
    assert weights.find("toy")


def test_offline_only_what_is_there_counts(register, toy, server, content, monkeypatch):
    monkeypatch.setenv("FERSYN_OFFLINE", "1")
    with pytest.raises(FersynError, match="FERSYN_OFFLINE is set; .*fersyn weights add toy FILE"):
        weights.fetch("toy")
    put(folder() / "toy.bin", content)
    assert weights.fetch("toy").is_file() and not server.asked


def test_add_a_known_file(register, content, tmp_path):
    register(hub=True)
    path = weights.add("toy", put(tmp_path / "mine.bin", content))
    assert path == weights.find("toy") == folder() / "toy.bin"
    with pytest.raises(FersynError, match="is not toy: its SHA-256 is .* wanted is toy.bin with"):
        weights.add("toy", put(tmp_path / "other.bin", b"x"))
    with pytest.raises(FersynError, match="not a file"):
        weights.add("toy", tmp_path / "none.bin")


@pytest.mark.parametrize("suffix", [".pth.tar", ".safetensors"])
def test_add_a_file_that_only_the_authors_have(tmp_path, suffix):
    state = {"module.fc.weight": torch.arange(6.0).reshape(2, 3)}
    file = tmp_path / f"LightCNN{suffix}"
    if suffix == ".safetensors":
        save_file(state, file)
    else:
        torch.save({"epoch": 3, "arch": "LightCNN", "state_dict": state, "prec1": 98.5}, file)
    assert weights.find("light-cnn-9") is None
    with pytest.raises(FersynError, match="Google Drive.*fersyn weights add light-cnn-9 FILE"):
        weights.fetch("light-cnn-9")
    with pytest.raises(FersynError, match="not on this machine; .*Google Drive"):
        weights.state_dict("light-cnn-9")
    path = weights.add("light-cnn-9", file)
    assert weights.find("light-cnn-9") == weights.fetch("light-cnn-9") == path
    assert torch.equal(weights.state_dict("light-cnn-9")["module.fc.weight"], state["module.fc.weight"])
    (row,) = weights.about(["light-cnn-9"])
    assert row["source"] == f"added by hand ({file.name})" and len(row["sha256"]) == 64
    path.write_bytes(path.read_bytes()[:-1])
    assert weights.find("light-cnn-9") is None and damaged("light-cnn-9") == [path]


class Trap:
    def __reduce__(self):
        return (os.mkdir, ("trapped",))


def test_add_never_unpickles(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Trap()}, tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(Trap()))
    torch.save({"accuracy": 3}, tmp_path / "c.pth")
    torch.save([torch.zeros(2)], tmp_path / "d.pth")
    for name in "abcd":
        with pytest.raises(FersynError, match="holds no weights"):
            weights.add("vgg-face", tmp_path / f"{name}.pth")
    assert not (tmp_path / "trapped").exists() and weights.find("vgg-face") is None


def test_installed_files_are_found_and_told():
    for name in ("dlib-face", "stlpips", "stlpips-vgg"):
        assert locate(name).origin.startswith("installed package")
    assert len(weights.state_dict("stlpips")) > 5
    with pytest.raises(FersynError, match="dlib file"):
        weights.state_dict("dlib-face")


def test_about_names_what_is_there_and_what_stands_in(register, content):
    register()
    assert weights.about(["toy"])[0]["source"] == "missing; instead: something else"
    put(folder() / "toy.bin", content)
    (row,) = weights.about(["toy"])
    assert row.keys() == {"name", "use", "licence", "file", "sha256", "source"} and row["file"] == "toy.bin"
    assert str(folder()) not in str(row)


def test_unknown_names():
    for ask in (weights.find, weights.fetch, weights.state_dict, lambda name: weights.about([name])):
        with pytest.raises(FersynError, match="'fid'; the names are .*fid-inception"):
            ask("fid")
