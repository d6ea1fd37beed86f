"""What a run found, in sentences made by rule from its JSON: the *Answer* at the top of its page, and the report's abstract.

Each sentence comes with its claim, in names and numbers of the JSON, so that a test can work it out again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

# What is told first where there is much.
ORDER = ("ssim", "lpips", "psnr", "named_fer", "named_facex", "right", "rank1", "person_balanced", "fid", "identity")
JUDGES = ("named_fer", "named_facex")
JUDGED = (*JUDGES, "right")  # whose mean may hide an expression that is never named
LIKENESS = ("ssim", "lpips", "psnr")
TRUE = "true picture"  # no method
INVERTED = "inversion_seconds"  # a metric of what was inverted and not edited
RECOGNISED = "person_balanced"  # what recognisers are compared by
MOST = 5  # sentences
MANY = 3  # methods, of which each difference is said where it may be chance
NUMBERS = ("value", "low", "high")
KINDS = ("better", "worse", "unknown")
SMOKE = "The profile smoke shows that everything works. Its numbers mean nothing."


class Finding(NamedTuple):
    """A sentence, and what it claims: `kind` (best, better, worse, unknown, none, floor, short, referee, weakest, figure) and its
    terms.
    """

    text: str
    claim: dict[str, Any]


def is_smoke(content: Mapping[str, Any], folder: str = "") -> bool:
    """Whether a run, or the report in a folder of that name, was made by the profile smoke."""
    return "smoke" in ((content.get("parameters") or {}).get("profile"), folder.removesuffix("-private"))


def findings(content: Mapping[str, Any], most: int = MOST) -> list[Finding]:
    """The sentences of a run's JSON, the most important first; those of its key figures where no methods were compared."""
    if content.get("status", "done") != "done":
        return []
    short = _short(content)
    found = [*short]
    if not short:  # what has learnt too little has no best
        best, others = _compared(content)
        found = [*best, *_elsewhere(content), *_weakest(content), *_across(content), *_floor(content), *others]
    found[1:1] = _referees(content)
    found += _figures(content) if len(found) < 2 and not short else []
    return list({one.text: one for one in found}.values())[:most]


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


def _compared(content: Mapping[str, Any], table: str = "") -> tuple[list[Finding], list[Finding]]:
    """Of each metric of a table (empty: the first): where one method is best, and which others beat another one or cannot be told
    from it.

    Where several methods are held against several others, it is against the untouched, or the first, only.
    """
    metrics, rows = content.get("metrics") or {}, content.get("differences") or ()
    table = table or (rows[0]["table"] if rows else "")
    where = table if len({row["table"] for row in rows}) > 1 else ""
    rows = [row for row in rows if row["table"] == table and row["metric"] in metrics]
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
        alike: dict[str, list[Mapping[str, Any]]] = {}
        for row, kind in sorted(zip(group, kinds, strict=True), key=lambda pair: KINDS.index(pair[1])):
            if len(methods) == 1 and kind != "better" or len(methods) > 1 and row["minus"] == fixed:
                alike.setdefault(kind, []).append(row)
        others += [_alike(kind, some, metrics[name], verifier, where) for kind, some in alike.items()]
    whole = [_best(content, rows[0]["table"], method, beaten, each) for (method, beaten), each in best.items()]
    return whole, others


def _elsewhere(content: Mapping[str, Any]) -> list[Finding]:
    """Of each further table on which one method is held against others, one sentence: where it is worse in a picture's likeness to the
    truth, or else where it is best.
    """
    rows = content.get("differences") or ()
    found = []
    for table in list(dict.fromkeys(row["table"] for row in rows))[1:]:
        if len({row["method"] for row in rows if row["table"] == table}) > 1:
            continue
        best, others = _compared(content, table)
        worse = [one for one in others if one.claim["kind"] == "worse" and one.claim["metric"] in LIKENESS]
        found += (worse or best)[:1]
    return found


def _best(
    content: Mapping, table: str, method: str, beaten: Sequence[str], own: Sequence[tuple[str, float]]
) -> Finding:
    metrics = content["metrics"]
    parts = [f"{metrics[name]['title']} ({told(value, metrics[name])})" for name, value in own]
    text = f"On {table}, {method} is best in {_listed(parts)}: more than chance against {_listed(beaten)}."
    names = [name for name, _ in own]
    return Finding(text, {"kind": "best", "table": table, "method": method, "metrics": names, "beaten": list(beaten)})


def _alike(
    kind: str, rows: Sequence[Mapping[str, Any]], metric: Mapping[str, Any], verifier: str, where: str = ""
) -> Finding:
    """One sentence on all methods that fare alike against one other, or on one that fares alike against several. Of many, and of
    those that cannot be told apart, the range is said, not each difference. `where`: on which table, if there are several.
    """
    points = {**metric, "unit": ""}
    unit = " points" if metric.get("unit") == "%" else ""
    which = "minus" if len({row["minus"] for row in rows}) > 1 else "method"

    def gap(row: Mapping[str, Any]) -> str:
        value, low, high = (told(row[name], points, "+") if row[name] is not None else "–" for name in NUMBERS)
        return f"{row[which]} ({value}{unit} [{low}, {high}])"

    title = metric["title"]
    of = f"On {where}, {title}" if where else f"{title[:1].upper()}{title[1:]}"
    of += f" ({verifier})" if verifier else ""
    single = which == "minus" or len(rows) == 1
    verb = "is" if single else "are"
    words = {"better": f"{verb} better than", "worse": f"{verb} worse than", "unknown": "cannot be told from"}[kind]
    many, values = len(rows) > (MOST if kind != "unknown" else MANY), [row["value"] for row in rows]
    listed = _listed([row[which] if many else gap(row) for row in rows])
    first, second = (rows[0]["method"], listed) if which == "minus" else (listed, rows[0]["minus"])
    span = [told(value, points, "+") for value in (min(values), max(values))]
    between = f" (differences of {' to '.join(dict.fromkeys(span))}{unit})" if many else ""
    text = f"{of}: {first} {words} {second}{between}."
    claim = {name: rows[0][name] for name in ("table", "metric")}
    pairs = [(row["method"], row["minus"]) for row in rows]
    return Finding(text, {"kind": kind, **claim, "verifier": verifier, "pairs": pairs})


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
            best = sorted(better, key=lambda row: -row["value"])
            found.append(_alike("better", best, metrics[RECOGNISED], "", table))
        elif own:
            text = f"On {table} nothing names faces better than {fixed} by more than chance."
            found.append(Finding(text, {"kind": "none", "table": table, "minus": fixed, "metric": RECOGNISED}))
    return found


def _floor(content: Mapping[str, Any]) -> list[Finding]:
    """The methods that make no picture nearer to the truth than the untouched source, by SSIM. What was only inverted is held against
    the source itself, and is none of them.
    """
    table = next((row["table"] for row in content.get("summary") or () if row["metric"] == "ssim"), "")
    inverted = {row["method"] for row in _summary(content, table, INVERTED)}
    rows = {row["method"]: row["value"] for row in _summary(content, table, "ssim") if row["method"] not in inverted}
    floor = rows.pop("copy", None)
    below = {name: value for name, value in rows.items() if floor is not None and value is not None and value <= floor}
    if not below:
        return []
    parts = [f"{name} ({told(value, content['metrics']['ssim'])})" for name, value in below.items()]
    text = f"By SSIM no nearer to the truth than the source itself (copy, {told(floor, content['metrics']['ssim'])}): {_listed(parts)}."
    return [Finding(text, {"kind": "floor", "table": table, "methods": list(below)})]


def _short(content: Mapping[str, Any]) -> list[Finding]:
    """That nothing can be concluded from trainings of which none came nearer to the truth than the untouched source."""
    runs = (content.get("results") or {}).get("runs")
    floor = _floor(content)
    if not runs or not floor:
        return []
    table, below = floor[0].claim["table"], floor[0].claim["methods"]
    learnt = {row["method"] for row in _summary(content, table, "ssim")} - {"copy", "warp"}
    if learnt - set(below):
        return []
    steps = max(run["step"] for run in runs.values())
    text = f"Too few steps to conclude anything ({steps} of each training). {floor[0].text} Which of them is better says nothing yet."
    return [Finding(text, {"kind": "short", "table": table, "methods": below, "steps": steps})]


def _referees(content: Mapping[str, Any]) -> list[Finding]:
    """The discriminators that have won, or sleep: their generators learn nothing more from them."""
    found = []
    runs = {**(content.get("results") or {}), **((content.get("results") or {}).get("runs") or {})}
    for method, about in runs.items():
        fared = about.get("discriminators") if isinstance(about, Mapping) else None
        for name, each in (fared or {}).items():
            if each["state"]:
                words = {"won": "has won", "asleep": "sleeps"}[each["state"]]
                figures = f"loss {each['loss']:.2f}, accuracy {each['accuracy']:.2f}"
                text = f"The {name.replace('_', ' ')} of {method} {words} ({figures} at the end): its generator learns nothing more from it."
                claim = {"kind": "referee", "method": method, "name": name, "state": each["state"]}
                found.append(Finding(text, claim))
    return found


def _judged_methods(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Table and method whose naming may be looked at: the one compared with others, then the only one that judges were shown."""
    rows = content.get("differences") or ()
    shown = [row for row in content.get("summary") or () if row["metric"] in JUDGES and row["method"] != TRUE]
    found = []
    for group in (rows, shown):
        if len({row["method"] for row in group}) == 1:
            found.append((group[0]["table"], group[0]["method"]))
    return found


def _weakest(content: Mapping[str, Any]) -> list[Finding]:
    """The expression that is named least often in what one method makes, and the mean that hides it: by judges that had no hand in
    it, by others, by the kit's recogniser.
    """
    scores = content.get("scores") or {}
    if not {"expression", "table", "metric"} <= set(scores.get("columns") or ()):
        return []
    lines = [dict(zip(scores["columns"], line, strict=True)) for line in scores["data"]]
    for table, method in _judged_methods(content):
        own = [line for line in lines if (line["table"], line["method"]) == (table, method)]
        guides = {line["metric"] for line in own if line.get("guide")}
        for name in sorted(JUDGED, key=lambda name: name in guides or name not in JUDGES):
            shares = _shares(line for line in own if line["metric"] == name)
            if len(shares) < 2:
                continue
            weak, mean = min(shares, key=lambda word: shares[word]), sum(shares.values()) / len(shares)
            about, guide = content["metrics"][name], " (a guide of these faces' making)" if name in guides else ""
            text = (
                f"The weakest expression of {method} is {weak}: {about['title']}{guide}, {told(shares[weak], about)}, "
                f"while the mean over all says {told(mean, about)}."
            )
            claim = {"kind": "weakest", "table": table, "method": method, "metric": name, "expression": weak}
            return [Finding(text, {**claim, "mean": mean})]
    return []


def _shares(lines: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Mean value of each expression."""
    values: dict[str, list[float]] = {}
    for line in lines:
        if line["value"] is not None:
            values.setdefault(line["expression"], []).append(line["value"])
    return {word: sum(own) / len(own) for word, own in values.items()}


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
