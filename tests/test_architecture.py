"""The house as docs/architecture.md draws it: imports go up its floors, never in a circle, and no room is too large."""

import ast
import re
from functools import lru_cache

from fersyn.reporting import project

PACKAGE = project.PACKAGE
PAGE = PACKAGE.parent / "docs" / "architecture.md"
MOST_LINES, MOST_OF_A_FUNCTION, MOST_MODULES, MOST_OF_ALL = 400, 60, 229, 33_750


def modules():
    """Dotted name -> file, of the whole package."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = ["fersyn", *file.relative_to(PACKAGE).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def floors(text):
    """Room -> number of its floor, out of the page's picture."""
    picture = text.split("```")[1]
    found = {}
    for line in picture.splitlines():
        floor = re.match(r"\s*(\d+) [a-z ]+?\s{2,}((?:\w+ ?)+)", line)
        for room in floor[2].split() if floor else ():
            assert room not in found, f"{room} stands on two floors"
            found[room] = int(floor[1])
    return found


def imports(name, text, known):
    """The modules of ``known`` that the module's text imports, anywhere."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}: a relative import"
            # `from fersyn.nets import unet` takes a module, `from fersyn.weights import find` what its __init__ has.
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {module if module in known else node.module for module in below}
    return found & known


@lru_cache(maxsize=1)
def graph():
    known = modules()
    return {name: imports(name, file.read_text(encoding="utf-8"), set(known)) - {name} for name, file in known.items()}


def room(module):
    return module.split(".")[1] if "." in module else "__init__"


def down(graph, floors):
    """The imports that go down: those of a module of a floor above."""
    return [
        f"{name} imports {other}"
        for name, others in graph.items()
        for other in sorted(others)
        if floors[room(other)] > floors[room(name)]
    ]


def circle(graph):
    """A circle of modules that import each other, as a list; empty: there is none."""
    done, path = set(), []

    def visit(name):
        if name in path:
            return [*path[path.index(name) :], name]
        if name not in done:
            path.append(name)
            for other in sorted(graph[name]):
                if found := visit(other):
                    return found
            path.pop()
            done.add(name)
        return []

    return next((found for name in graph if (found := visit(name))), [])


def test_every_room_has_its_floor_and_no_other_is_drawn():
    assert set(floors(PAGE.read_text(encoding="utf-8"))) == {room(module) for module in modules()}


def test_no_import_goes_down():
    assert not down(graph(), floors(PAGE.read_text(encoding="utf-8")))


def test_no_circle():
    assert not circle(graph())


def test_these_tests_can_fail():
    page = "```\n 1 one      errors files\n      |\n 2 two      nets\n```"
    assert floors(page) == {"errors": 1, "files": 1, "nets": 2}
    text = "def late():\n    from fersyn.nets import unet\n"
    known = {"fersyn.errors", "fersyn.nets", "fersyn.nets.unet"}
    drawn = {
        "fersyn.errors": imports("fersyn.errors", text, known),
        "fersyn.nets.unet": {"fersyn.nets"},
        "fersyn.nets": set(),
    }
    assert down(drawn, floors(page)) == ["fersyn.errors imports fersyn.nets.unet"] and circle(drawn) == []
    drawn["fersyn.nets"] = {"fersyn.errors"}
    assert circle(drawn) == ["fersyn.errors", "fersyn.nets.unet", "fersyn.nets", "fersyn.errors"]


def functions(file):
    """Name and number of lines of each function, without its decorators."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.end_lineno - node.lineno + 1


def test_no_module_and_no_function_is_too_long():
    lines = {name: len(file.read_text(encoding="utf-8").splitlines()) for name, file in modules().items()}
    lengths = {f"{name}.{own}": many for name, file in modules().items() for own, many in functions(file)}
    assert not {name: many for name, many in lines.items() if many > MOST_LINES}
    assert not {name: many for name, many in lengths.items() if many > MOST_OF_A_FUNCTION}


def test_the_house_is_small():
    lines = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in modules().values())
    assert len(modules()) <= MOST_MODULES and lines <= MOST_OF_ALL, f"{len(modules())} modules, {lines} lines"
