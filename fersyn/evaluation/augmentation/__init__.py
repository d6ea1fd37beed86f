"""Does synthesis help recognition? Table 4 of Li, Qi & Sun, IEEE Access 9, 2021: a recogniser learns from the training
people's faces plus 0, 1, 5, 10, 100 times as many synthetic ones, and names real faces of other people.

`trainings` says which trainings of a method it takes, `synthetic` makes the faces, `classical` is the control,
`experiment` trains and tests the recognisers, `gain` sums up, `judge` looks for the reason.

Importing this package is light: the report's plan asks it for its trainings.
"""

from fersyn.evaluation.augmentation.trainings import allowed, requests

__all__ = ["allowed", "requests"]
