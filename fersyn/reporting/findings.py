"""What a run found, in sentences made by rule from its JSON: the *Answer* at the top of its page, and the report's abstract.

Each sentence comes with its claim, in names and numbers of the JSON, so that a test can work it out again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

# What is told first where there is much.
ORDER = ("ssim", "lpips", "psnr", "named_fer", "named_facex", "right", "rank1", "person_balanced", "fid", "identity")
JUDGED = ("named_fer", "named_facex", "right")  # whose mean may hide an expression that is never named
RECOGNISED = "person_balanced"  # what recognisers are compared by
MOST = 5  # sentences
NUMBERS = ("value", "low", "high")
KINDS = ("better", "worse", "unknown")
SMOKE = "The profile smoke shows that everything works: its numbers mean nothing."


class Finding(NamedTuple):
    """A sentence, and what it claims: `kind` (smoke, best, better, worse, unknown, none, floor, weakest,
    figure) and its terms."""

    text: str
    claim: dict[str, Any]


def findings(content: Mapping[str, Any], profile: str = "", most: int = MOST) -> list[Finding]:
    """The sentences of a run's JSON, the most important first; those of its key figures where no methods were compared."""
    if content.get("status", "done") != "done":
        return []
    best, others = _compared(content)
    found = [*best, *_weakest(content), *_across(content), *others, *_floor(content)]
    found += _figures(content) if len(found) < 2 else []
    return [Finding(SMOKE, {"kind": "smoke"})] * (profile == "smoke") + found[:most]


def told(value: float, metric: Mapping[str, Any], sign: str = "") -> str:
    """A metric's value as it is printed, with its unit where that is short."""
    unit = metric.get("unit") or ""
    text = f"{value * metric.get('scale', 1.0):{sign}.{metric.get('digits', 2)}f}".replace("-", "−")
    return f"{text} {unit}" if unit in ("%", "dB", "px") else text


def verdict(row: Mapping[str, Any], metric: Mapping[str, Any]) -> str:
    """Of a row of differences: better, worse, or unknown, where chance alone may have made it."""
    if row["low"] is None or row["high"] is None or row["low"] <= 0 <= row["high"]:
        return "unknown"
    return "better" if (row["value"] > 0) == (metric["better"] == "higher") else "worse"


def _compared(content: Mapping[str, Any]) -> tuple[list[Finding], list[Finding]]:
    """Of each metric of the first table: where one method is best, and which others beat another one or cannot be told from it.

    Where several methods are held against several others, it is against the untouched, or the first, only.
    """
    metrics, rows = content.get("metrics") or {}, content.get("differences") or ()
    rows = [row for row in rows if row["table"] == rows[0]["table"] and row["metric"] in metrics]
    rows = [row for row in rows if row.get("guide") is not True]
    own: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: _rank(row["metric"])):
        own.setdefault((row["metric"], row.get("verifier") or ""), []).append(row)
    best: dict[tuple[str, tuple[str, ...]], list[tuple[str, float]]] = {}
    others: list[Finding] = []
    for (name, verifier), group in own.items():
        kinds = [verdict(row, metrics[name]) for row in group]
        methods, minus = {row["method"] for row in group}, [row["minus"] for row in group]
        value = _value(content, group[0]["table"], group[0]["method"], name, verifier)
        if len(methods) == 1 and len(group) > 1 and set(kinds) == {"better"} and value is not None:
            best.setdefault((group[0]["method"], tuple(minus)), []).append((name, value))
            continue
        fixed = "untouched" if "untouched" in minus else minus[0]
        alike: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for row, kind in sorted(zip(group, kinds, strict=True), key=lambda pair: KINDS.index(pair[1])):
            if len(methods) == 1 and kind != "better" or len(methods) > 1 and row["minus"] == fixed:
                alike.setdefault((kind, row["minus"]), []).append(row)
        others += [_alike(kind, some, metrics[name], verifier) for (kind, _), some in alike.items()]
    whole = [_best(content, rows[0]["table"], method, beaten, each) for (method, beaten), each in best.items()]
    return whole, others


def _best(
    content: Mapping, table: str, method: str, beaten: Sequence[str], own: Sequence[tuple[str, float]]
) -> Finding:
    metrics = content["metrics"]
    parts = [f"{metrics[name]['title']} ({told(value, metrics[name])})" for name, value in own]
    text = f"On {table}, {method} is best in {_listed(parts)}: more than chance against {_listed(beaten)}."
    names = [name for name, _ in own]
    return Finding(text, {"kind": "best", "table": table, "method": method, "metrics": names, "beaten": list(beaten)})


def _alike(kind: str, rows: Sequence[Mapping[str, Any]], metric: Mapping[str, Any], verifier: str) -> Finding:
    """One sentence on all methods that fare alike against one other."""
    points = {**metric, "unit": ""}

    def gap(row: Mapping[str, Any]) -> str:
        value, low, high = (told(row[name], points, "+") if row[name] is not None else "–" for name in NUMBERS)
        return f"{row['method']} ({value}{' points' if metric.get('unit') == '%' else ''} [{low}, {high}])"

    of = f"{metric['title'][:1].upper()}{metric['title'][1:]}{f' ({verifier})' if verifier else ''}"
    verb = "is" if len(rows) == 1 else "are"
    words = {"better": f"{verb} better than", "worse": f"{verb} worse than", "unknown": "cannot be told from"}[kind]
    text = f"{of}: {_listed([gap(row) for row in rows])} {words} {rows[0]['minus']}."
    names = {name: rows[0][name] for name in ("table", "minus", "metric")}
    return Finding(text, {"kind": kind, **names, "verifier": verifier, "methods": [row["method"] for row in rows]})


def _across(content: Mapping[str, Any]) -> list[Finding]:
    """Of recognisers that name faces of several tables (notebook 09), one sentence a table on those that are better than the first
    that they are held against.
    """
    metrics, rows = content.get("metrics") or {}, content.get("differences") or ()
    rows = [row for row in rows if row["metric"] == RECOGNISED and RECOGNISED in metrics]
    tables, fixed = list(dict.fromkeys(row["table"] for row in rows)), rows[0]["minus"] if rows else ""
    found = []
    for table in tables if len(tables) > 1 else ():
        own = [row for row in rows if row["table"] == table and row["minus"] == fixed]
        better = [row for row in own if verdict(row, metrics[RECOGNISED]) == "better"]
        if better:
            one = _alike("better", sorted(better, key=lambda row: -row["value"])[:3], metrics[RECOGNISED], "")
            found.append(Finding(f"On {table}: {one.text[:1].lower()}{one.text[1:]}", one.claim))
        elif own:
            text = f"On {table} nothing names faces better than {fixed} by more than chance."
            found.append(Finding(text, {"kind": "none", "table": table, "minus": fixed, "metric": RECOGNISED}))
    return found


def _floor(content: Mapping[str, Any]) -> list[Finding]:
    """The methods that make no picture nearer to the truth than the untouched source, by SSIM."""
    table = next((row["table"] for row in content.get("summary") or () if row["metric"] == "ssim"), "")
    rows = {row["method"]: row["value"] for row in _summary(content, table, "ssim")}
    floor = rows.pop("copy", None)
    below = {name: value for name, value in rows.items() if floor is not None and value is not None and value <= floor}
    if not below:
        return []
    parts = [f"{name} ({told(value, content['metrics']['ssim'])})" for name, value in below.items()]
    text = f"No nearer to the truth than the source itself (copy, SSIM {told(floor, content['metrics']['ssim'])}): {_listed(parts)}."
    return [Finding(text, {"kind": "floor", "table": table, "methods": list(below)})]


def _weakest(content: Mapping[str, Any]) -> list[Finding]:
    """The expression that is named least often in what the first compared method makes, by judges that had no hand in it first."""
    scores, rows = content.get("scores") or {}, content.get("differences") or ()
    method = rows[0]["method"] if len({row["method"] for row in rows}) == 1 else None
    if not scores.get("data") or method is None or not {"expression", "table", "metric"} <= set(scores["columns"]):
        return []
    at = {name: place for place, name in enumerate(scores["columns"])}
    table = rows[0]["table"]
    for name in JUDGED:
        own = [
            line
            for line in scores["data"]
            if (line[at["table"]], line[at["method"]], line[at["metric"]]) == (table, method, name)
        ]
        means: dict[str, list[float]] = {}
        for line in own:
            if line[at["value"]] is not None:
                means.setdefault(line[at["expression"]], []).append(line[at["value"]])
        if len(means) < 2:
            continue
        guide = " (a guide of these faces' making)" if "guide" in at and any(line[at["guide"]] for line in own) else ""
        weak = min(means, key=lambda word: sum(means[word]) / len(means[word]))
        share = sum(means[weak]) / len(means[weak])
        title = content["metrics"][name]["title"]
        text = f"The weakest expression of {method} is {weak}: {title}{guide}, {told(share, content['metrics'][name])}."
        return [
            Finding(text, {"kind": "weakest", "table": table, "method": method, "metric": name, "expression": weak})
        ]
    return []


def _figures(content: Mapping[str, Any]) -> list[Finding]:
    """Where no methods were compared: the key figures, in one sentence."""
    own = [figure for figure in content.get("key_figures") or () if isinstance(figure.get("value"), (int, float))]
    own = [figure for figure in own if figure.get("unit") != "images/s"][-6:]  # what was found, not how fast
    parts = []
    for figure in own:
        whole = isinstance(figure["value"], int)
        value = f"{figure['value']}" if whole else f"{figure['value']:.{figure.get('digits', 1)}f}"
        unit = f" {figure['unit']}" if figure.get("unit") else ""
        parts.append(f"{figure['name']} {value}{unit}")
    return (
        [Finding(f"{'; '.join(parts)}.", {"kind": "figure", "names": [figure["name"] for figure in own]})]
        if own
        else []
    )


def _summary(content: Mapping[str, Any], table: str, metric: str) -> Iterable[Mapping[str, Any]]:
    """Rows of the summary that are of no single expression."""
    rows = content.get("summary") or ()
    return [row for row in rows if (row["table"], row["metric"]) == (table, metric) and not row.get("expression")]


def _value(content: Mapping[str, Any], table: str, method: str, metric: str, verifier: str) -> float | None:
    rows = _summary(content, table, metric)
    return next((r["value"] for r in rows if r["method"] == method and (r.get("verifier") or "") == verifier), None)


def _rank(metric: str) -> int:
    return ORDER.index(metric) if metric in ORDER else len(ORDER)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
