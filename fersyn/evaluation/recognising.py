"""Systems that learn synthesis and recognition together (fesgan, de-gan): what their recognisers name rightly, which part of them
that is owed to (the ablations that their papers claim), and what an expression code holds. [ours]

Recognisers are tested on people whom nobody trained on: those held out, and those of other tables. The last step counts.

A code is probed by what a linear classifier reads in it (scikit-learn's logistic regression, on standardised numbers). *Whose*
face it is: of the people held out, trained on their faces of some expressions and tested on those of others, in turn, so that no
near copy of a picture is looked up; a disentangled code gives chance. *Which expression*: trained on the training people, tested
on those held out; a code of expressions gives what the recogniser gets.

Example:
    >>> asked = requests("fesgan", "laptop")                                         # doctest: +SKIP
    >>> runs = trained(asked, table, "runs/laptop")                                  # doctest: +SKIP
    >>> print(table_of(summarise(measure(runs, table))))                             # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from fersyn import splits
from fersyn.errors import FersynError
from fersyn.evaluation import recognition
from fersyn.evaluation.ablations import Key, Variant
from fersyn.evaluation.augmentation import allowed, gain
from fersyn.evaluation.augmentation.experiment import sides
from fersyn.evaluation.scores import Metric, Scores, register, rows_of
from fersyn.methods.base import Synthesiser
from fersyn.training.requests import Request, settings_of
from fersyn.training.runs import load

WHO = register(Metric("probe_identity", "read in the code: whose face", "lower", "%", 1, 100.0)).name
WHAT = register(Metric("probe_expression", "read in the code: which expression", "higher", "%", 1, 100.0)).name

VARIANTS: Mapping[str, Mapping[str, Variant]] = {
    method: {name: Variant(name, tuple(own.get("settings", ())), own["about"]) for name, own in given.items()}
    for method, given in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")).items()
}


def requests(
    method: str, profile: str, seed: int = 0, seeds: int = 1, settings: Sequence[str] = (), variants: Sequence[str] = ()
) -> dict[Key, Request]:
    """The trainings of a method's variants, by (variant, seed).

    Args:
        method: fesgan or de-gan.
        profile: preset that all start from.
        seed, seeds: the first, and how many.
        settings: changes of settings for all of them, as notebook 02 takes them.
        variants: names; none: all.

    Raises:
        FersynError: the method has no variants, or none of that name.
    """
    if method not in VARIANTS:
        raise FersynError(f"{method} learns no recogniser; use one of: {', '.join(VARIANTS)}")
    known, both = VARIANTS[method], settings_of(settings, method)
    if unknown := [name for name in variants if name not in known]:
        raise FersynError(f"{method} has no variant {', '.join(unknown)}; use some of: {', '.join(known)}")
    return {
        (name, number): Request(
            f"recognising/{method}.{k}.seed{number}", method, profile, number, (*both, *own.settings)
        )
        for k, (name, own) in enumerate(known.items())
        for number in range(seed, seed + seeds)
        if name in (variants or known)
    }  # fmt: skip


def measure(runs: Mapping[Key, Path], view, others: Sequence = ()) -> Scores:
    """What the recognisers of runs name rightly: balanced accuracy, a row a person, expression and seed; a variant is a method.

    Args:
        runs: folders by (variant, seed).
        view: FaceTable with the sides that they were trained on (`Request.view`).
        others: FaceTables whose people are all tested, across sets.

    Raises:
        FersynError, SubjectLeak: a run was trained on others, learnt no recogniser, or somebody is learnt from and tested.
    """
    train, test = sides(view)
    tests, parts = [(view, test)], []
    for other in others:
        index = recognition.usable(other.rows)
        splits.check_disjoint(view.rows.iloc[train], other.rows.iloc[index])
        tests.append((other, index))
    for (name, seed), run in runs.items():
        allowed(run, view)
        synthesiser = load(run)
        for table, index in tests:
            named = synthesiser.recognise(table.tensor(index)).argmax(1).numpy()
            found = recognition.answers(table, index, named)
            parts.append(gain.balanced(found, method=name, table=table.path.name, seed=seed))
    return Scores(pd.concat(parts, ignore_index=True) if parts else pd.DataFrame())


def probe(synthesiser: Synthesiser, view, seed: int = 0) -> Scores:
    """What a linear classifier reads in the expression codes of people held out, a row a face: whose it is (`WHO`), and which
    expression (`WHAT`); beside it what the recogniser names rightly. Chance of `WHO`: one over the number of people.

    Args:
        synthesiser: of a method with expression codes (`codes`), such as de-gan.
        view: FaceTable with the sides that it was trained on.
        seed: of the classifiers, in the scores.

    Raises:
        FersynError: fewer than two people are held out, or they show fewer than two expressions.
    """
    train, test = sides(view)
    labels, people, codes = (
        view.labels(test),
        view.people[test].astype(str),
        synthesiser.codes(view.tensor(test)).numpy(),
    )
    if min(len(set(people)), len(set(labels.tolist()))) < 2:
        raise FersynError(f"{view.path}: to probe a code takes two people held out, with two expressions each")
    whose = np.zeros(len(test), bool)
    for label in sorted(set(labels.tolist())):
        own = labels == label
        whose[own] = _linear(codes[~own], people[~own], seed).predict(codes[own]) == people[own]
    known = _linear(synthesiser.codes(view.tensor(train)).numpy(), view.labels(train), seed)
    named = synthesiser.recognise(view.tensor(test)).argmax(1).numpy()
    keys = {"method": synthesiser.name, "table": view.path.name, "seed": seed}
    about = people, test, [recognition.EXPRESSIONS[k] for k in labels]
    found = ((WHO, whose), (WHAT, known.predict(codes) == labels), ("accuracy", named == labels))
    return Scores(pd.concat([rows_of(name, right, *about, **keys) for name, right in found], ignore_index=True))


def _linear(features: np.ndarray, classes: np.ndarray, seed: int):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    linear = LogisticRegression(max_iter=2000, class_weight="balanced", random_state=seed)
    return make_pipeline(StandardScaler(), linear).fit(features, classes)


def table_of(summary: pd.DataFrame, method: str = "") -> str:
    """A summary (`scores.summarise`) as lines of text: table, variant, % with its interval over people, what is different."""
    about = {name: own.about for each in VARIANTS.values() for name, own in each.items()}
    lines = [
        f"{row['table']}: {row['method']}, {row['metric']}: {100 * row['value']:.1f} % "
        f"[{100 * row['low']:.1f}, {100 * row['high']:.1f}]"
        + (f" ({told})" if (told := about.get(row["method"])) else "")
        for row in summary.to_dict("records")
    ]
    return "\n".join(lines)
