"""Kinds of parameters: a value must be of the kind of the notebook's own, or it would fail late, or worse, not at all."""

from typing import Any

KINDS = {bool: "True or False", int: "a whole number", float: "a number", str: "text", list: "a list"}


def misfit(name: str, value: Any, default: Any, cure: str = "papermill") -> str:
    """Why a value is not of the kind of the parameter's ``default``, with the cure; empty if it is.

    Args:
        name: of the parameter.
        value: what was given.
        default: what the notebook declares; of a list, the first element says what its elements are.
        cure: for whom the cure is written: "papermill" or "report" (``--set``).

    >>> misfit("methods", "landmark-flow", ["copy"])
    "methods = 'landmark-flow': a list is needed; give it as   -y 'methods: [landmark-flow]'"
    """
    kind = type(default)
    if not _is(value, kind):
        return f"{name} = {value!r}: {KINDS[kind]} is needed; {_cure(name, value, default, cure)}"
    if kind is list and default:
        for element in value:
            if not _is(element, type(default[0])):
                return f"{name} = {value!r}: {KINDS[type(default[0])]} is needed in place of {element!r}, as in {default!r}"
    return ""


def _is(value: Any, kind: type) -> bool:
    if kind in (int, float) and isinstance(value, bool):  # which is an int to Python
        return False
    return isinstance(value, (int, float) if kind is float else kind)


def _cure(name: str, value: Any, default: Any, cure: str) -> str:
    if isinstance(default, list):
        inside = str(value).strip().removeprefix("[").removesuffix("]").strip()
        return (
            f"give it as   --set '{name}=[{inside}]'" if cure == "report" else f"give it as   -y '{name}: [{inside}]'"
        )
    if isinstance(default, str):
        text = "" if value is None else str(value)
        if not text:
            return f"for none give   --set '{name}=\"\"'" if cure == "report" else f"for none give   -r {name} ''"
        return f"give it as   --set {name}='\"{text}\"'" if cure == "report" else f"give it as   -r {name} {text}"
    return f"such as   {'--set ' + name + '=' if cure == 'report' else '-p ' + name + ' '}{default}"
