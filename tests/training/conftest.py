import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def toy_file():
    return Path(__file__).with_name("toy.py")


@pytest.fixture(scope="session")
def toy_module(toy_file):
    spec = importlib.util.spec_from_file_location("fersyn_toy", toy_file)
    module = importlib.util.module_from_spec(spec)
    sys.modules["fersyn_toy"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def toy(toy_module, monkeypatch):
    import fersyn.methods as methods

    method = toy_module.Toy()
    monkeypatch.setitem(methods._REGISTERED, "toy", method)
    return method


@pytest.fixture(scope="session")
def table(small_table):
    return small_table
