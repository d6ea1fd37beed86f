"""Splits by person: nobody stands on two sides, and the expressions are spread as evenly as whole people allow.

scikit-learn's StratifiedGroupKFold may leave folds empty when people are few, and has no hold-out of a given part. So
people are dealt at random many times, and the deal whose sides come nearest to the whole in labels and size is kept:
the same rows and seed give the same split everywhere.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from fersyn.errors import FersynError, SubjectLeak

_DEALS = 256


def people(rows: pd.DataFrame) -> np.ndarray:
    """Return 'dataset/subject' for each row, str (N,): a subject's name alone is unique only within its set."""
    return (rows["dataset"].astype(str) + "/" + rows["subject"].astype(str)).to_numpy(dtype=object)


def holdout(rows: pd.DataFrame, fraction: float = 0.1, seed: int = 0) -> pd.DataFrame:
    """Keep about `fraction` of the people for testing: at least one, and nobody if there is only one person.

    Args:
        rows: a table's rows; `dataset`, `subject` and `expression` are looked at.
        fraction: of the people, between 0 and 1.
        seed: of the deals.

    Returns:
        DataFrame with columns dataset, subject, split ('train' or 'test'), a row a person, sorted.
    """
    if not 0 < fraction < 1:
        raise FersynError(f"the fraction held out must lie between 0 and 1, not {fraction}")
    who, counts = _counts(rows)
    test = min(max(1, round(fraction * len(who))), len(who) - 1)
    sides = np.zeros(len(who), int)
    sides[:test] = 1
    best = _best_deal(counts, sides, 2, seed)
    return who.assign(split=np.where(best == 1, "test", "train"))


def kfold(rows: pd.DataFrame, k: int = 10, seed: int = 0) -> pd.DataFrame:
    """Deal the people into `k` folds whose numbers of people differ by one at most.

    Returns:
        DataFrame with columns dataset, subject, fold (0..k-1), a row a person, sorted.

    Raises:
        FersynError: fewer than `k` people, or k < 2.
    """
    who, counts = _counts(rows)
    if k < 2 or len(who) < k:
        cure = f"ask for 2 to {len(who)} folds, or give more people"
        raise FersynError(f"{k} folds cannot be made of {len(who)} people; {cure}")
    return who.assign(fold=_best_deal(counts, np.arange(len(who)) % k, k, seed))


def assign(rows: pd.DataFrame, split: pd.DataFrame) -> np.ndarray:
    """Return each row's value (N,) of a split's last column ('train'/'test', or the fold).

    Raises:
        FersynError: a person of the rows is not in the split.
    """
    value, who = dict(zip(people(split), split.iloc[:, -1], strict=True)), people(rows)
    if missing := sorted(set(who) - set(value)):
        raise FersynError(f"the split does not know {_names(missing)}; make it anew from these rows")
    return np.array([value[person] for person in who])


def sides(rows: pd.DataFrame, fold: str = "", people_left: int = 0, seed: int = 0) -> np.ndarray:
    """Return each row's side, 'train', 'test' or 'unused', of a part of the people.

    Args:
        rows: a table's rows; their column `split` counts where no fold is named.
        fold: 'k/n': fold k (from 1) of the n that `kfold` deals is the test side, everybody else is trained on.
        people_left: so many of the training people stay, chosen by the seed; the others are 'unused'. 0: all stay.
        seed: of the deals.

    Raises:
        FersynError: a fold that is not k/n with 1 <= k <= n, or more people than there are.
    """
    side = rows["split"].to_numpy(dtype=object).copy()
    if fold:
        match = re.fullmatch(r"(\d+)/(\d+)", fold)
        number, count = (int(part) for part in match.groups()) if match else (0, 0)
        if not 1 <= number <= count:
            raise FersynError(f"fold '{fold}': write k/n, such as 1/3 for the first of three folds")
        side = np.where(assign(rows, kfold(rows, count, seed)) == number - 1, "test", "train").astype(object)
    if people_left:
        who = people(rows)
        training = sorted(set(who[side == "train"]))
        if not 0 < people_left <= len(training):
            raise FersynError(f"{people_left} people to train on: there are {len(training)}; ask for 1 to as many")
        kept = np.random.default_rng([seed, 7]).permutation(len(training))[:people_left]
        side[(side == "train") & ~np.isin(who.astype(str), [training[k] for k in kept])] = "unused"
    return side


def check_disjoint(rows_a: pd.DataFrame, rows_b: pd.DataFrame) -> None:
    """Raise SubjectLeak, naming the people, if anybody stands in both: wherever something is trained and tested."""
    if both := sorted(set(people(rows_a)) & set(people(rows_b))):
        cure = "split by subject (fersyn.splits.holdout or kfold)"
        raise SubjectLeak(f"training and test share {len(both)} of their people: {_names(both)}; {cure}")


def write(split: pd.DataFrame, path: str | Path) -> None:
    """Write a split as CSV (dataset, subject, split or fold)."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    split.to_csv(path, index=False, lineterminator="\n")


def read(path: str | Path) -> pd.DataFrame:
    """Read what `write` wrote; raises FersynError if the file is missing, is no split or lists somebody twice."""
    path = Path(path)
    if not path.is_file():
        raise FersynError(f"{path}: no such split; tables hold theirs in splits/")
    split = pd.read_csv(path, dtype={"dataset": str, "subject": str}, keep_default_na=False)
    if list(split.columns) not in (["dataset", "subject", "split"], ["dataset", "subject", "fold"]):
        found = ", ".join(split.columns)
        raise FersynError(f"{path}: columns must be dataset, subject and split or fold, found {found}")
    if twice := sorted(set(people(split[split.duplicated(["dataset", "subject"])]))):
        raise SubjectLeak(f"{path}: {_names(twice)} stand there twice; keep one line a person")
    return split


def _counts(rows: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """People, sorted, and how many rows of each label they have: (P, labels)."""
    if len(rows) == 0:
        raise FersynError("there is nothing to split: the table has no rows")
    label = rows["expression"].astype(object).where(rows["expression"].notna(), "")
    table = pd.crosstab([rows["dataset"].astype(str), rows["subject"].astype(str)], label.to_numpy()).sort_index()
    return table.index.to_frame(index=False, name=["dataset", "subject"]), table.to_numpy(np.float64)


def _best_deal(counts: np.ndarray, sides: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Of many ways to deal people to `sides` return the one nearest to proportional label counts."""
    random = np.random.default_rng(seed)
    wanted = np.bincount(sides, minlength=n)[:, None] / len(sides) * counts.sum(0)
    best, least = sides, np.inf
    for _ in range(_DEALS):
        deal = random.permutation(sides)
        sums = np.zeros((n, counts.shape[1]))
        np.add.at(sums, deal, counts)
        cost = float((((sums - wanted) ** 2) / np.maximum(wanted, 1e-9)).sum())  # chi squared
        if cost < least - 1e-9:
            best, least = deal, cost
    return best


def _names(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
