"""What got better from one report to the next: paired differences B − A of all numbers that both measured on the same pairs, and
ten lines that say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WORDS = {True: "better", False: "worse", None: "cannot be told"}
SHOWN = 4  # lines of each, the surest first


def differences(run: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Paired differences of two contents of a run's JSON, by table, method, metric and whatever else names a score.

    Only tables with the same fingerprint count, and of these the pairs that both have: an item's number means the same pair
    there alone.

    Returns:
        a dict a number: run, name, head (metric with unit and arrow), a, b, difference, low, high (95 %, over people), people
        and better (True, False; None: more than chance alone cannot be told), in the unit that is printed; equal ones are 0.
    """
    if not all((each.get("scores") or {}).get("data") for each in (a, b)):
        return []
    import pandas as pd

    from fersyn.evaluation import scores

    frames = [pd.DataFrame(each["scores"]["data"], columns=each["scores"]["columns"]) for each in (a, b)]
    prints = [each.get("fingerprints") or {} for each in (a, b)]
    same = {name for name in prints[0] if prints[0][name] == prints[1].get(name)}
    rows = pd.concat([frame.assign(report=side) for frame, side in zip(frames, "AB", strict=True)], ignore_index=True)
    rows = rows[rows["table"].isin(same)].drop(columns=[scores.GUIDE], errors="ignore")
    known = {**(a.get("metrics") or {}), **(b.get("metrics") or {})}
    for metric in set(rows["metric"]) & set(known) - set(scores.METRICS):
        scores.register(scores.Metric(metric, **known[metric]))
    rows = rows[rows["metric"].isin(scores.METRICS)]
    further = [name for name in rows if name not in (*scores.COLUMNS, "report")]
    rows[further] = rows[further].astype(object).where(rows[further].notna(), "")
    keys = [*further, "table", "what"]
    rows = rows.rename(columns={"method": "what", "report": "method"})
    shared = rows.groupby([*keys, "metric", "item", "seed"], dropna=False)["method"].transform("nunique") == 2
    rows = rows[shared].reset_index(drop=True)
    if not len(rows):
        return []
    measured = scores.Scores(rows)
    values = scores.summarise(measured, (*keys, "method"))
    at = {
        (*(row[key] for key in keys), row["metric"], row["method"]): row["value"] for row in values.to_dict("records")
    }
    found = []
    for row in scores.differences(measured, of="B", by=(*keys, "method")).to_dict("records"):
        metric, key = scores.METRICS[row["metric"]], tuple(row[key] for key in keys)
        better = bool(metric.improves(row["value"])) if scores.sure(row) else None
        sides = {side.lower(): at[(*key, row["metric"], side)] * metric.scale for side in "AB"}
        name = ", ".join(str(part) for part in (row["what"], *key[: len(further)], row["table"]) if part != "")
        told = {"run": run, "name": name, "head": metric.head, "digits": metric.digits, **sides, "better": better}
        gap = {
            side: row[own] * metric.scale for side, own in (("difference", "value"), ("low", "low"), ("high", "high"))
        }
        found.append({**told, **gap, "people": int(row["people"])})
    return found


def lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Ten lines or fewer: how many numbers are better, worse, cannot be told and are equal, and the surest of the first two."""
    if not found:
        return ["nothing was measured on the same pairs in both (other data, or no scores); --all lists every number"]
    equal = [each for each in found if each["a"] == each["b"] and not each["difference"]]
    kinds = {word: [each for each in found if each["better"] is better] for better, word in WORDS.items()}
    told = [each for each in kinds[WORDS[None]] if not any(each is other for other in equal)]
    counts = (
        f"{len(kinds['better'])} better, {len(kinds['worse'])} worse, {len(told)} cannot be told, {len(equal)} equal"
    )
    said = [f"B against A, {len(found)} numbers on the same pairs: {counts} (paired 95 % intervals over people)"]
    for word in ("better", "worse"):
        surest = sorted(kinds[word], key=lambda each: -_sureness(each))
        said += [f"{word}: {_line(each)}" for each in surest[:SHOWN]]
    return [*said, "--all lists every number"]


def _sureness(line: Mapping[str, Any]) -> float:
    """The difference by half its interval."""
    return abs(line["difference"]) / max((line["high"] - line["low"]) / 2, 1e-12)


def _line(line: Mapping[str, Any]) -> str:
    def shown(value: float, sign: str = "") -> str:
        return f"{value:{sign}.{line['digits']}f}".replace("-", "−")

    gap, low, high = (shown(line[name], "+") for name in ("difference", "low", "high"))
    return f"{line['name']}, {line['head']}: {shown(line['a'])} → {shown(line['b'])}, {gap} [{low}, {high}] ({line['run']})"
