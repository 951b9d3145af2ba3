"""What a test can claim, in words: a difference, non-inferiority, equivalence; and what a false claim is."""

from __future__ import annotations

from collections.abc import Iterable

_POWER = {
    "superiority": "Power",
    "non_inferiority": "Power to show non-inferiority",
    "equivalence": "Power to show equivalence",
}
CO_PRIMARY = "co_primary"
"""The procedure with which a trial succeeds only where all hypotheses are found."""

_CLAIMS = {
    "superiority": "find a difference",
    "non_inferiority": "claim non-inferiority",
    "equivalence": "claim equivalence",
}


def is_margin(test: str) -> bool:
    """Return whether a test is against a margin."""
    return test != "superiority"


def power_name(tests: Iterable[str]) -> str:
    """Return what the power of a table or figure is called: `Power`, or what it is the power to show."""
    names = {_POWER[test] for test in tests}
    return names.pop() if len(names) == 1 else "Power"


def claim_words(test: str) -> str:
    """Return what a trial does that rejects: `find a difference`, `claim non-inferiority`."""
    return _CLAIMS[test]


def nominal_level(alpha: float, test: str) -> float:
    """Return the chance of a false claim that a test is built for.

    Against a margin p is twice the one-sided one, so that on the margin itself alpha / 2 of trials make the claim.

    Parameters
    ----------
    alpha : float
        Two-sided level.
    test : {'superiority', 'non_inferiority', 'equivalence'}
    """
    return alpha / 2.0 if is_margin(test) else alpha


def null_note(tests: Iterable[str]) -> str:
    """Return the sentence about cells in which every claim is false."""
    asked = set(tests)
    kinds = {is_margin(test) for test in asked - {CO_PRIMARY}}
    sides = []
    if CO_PRIMARY in asked:
        sides.append("not all co-primary hypotheses have something to find, the number is the type I error (all found)")
    if False in kinds:
        sides.append("the true difference is 0, the number is the type I error (rejection either way)")
    if True in kinds:
        sides.append("the true value reaches the margin, the number is the type I error (every claim is false)")
    return " ".join(f"Where {side}." for side in sides)


def everywhere_null_note(tests: Iterable[str]) -> str:
    """Return the sentence about a run in which every claim is false in every cell."""
    asked = set(tests)
    kinds = {is_margin(test) for test in asked}
    if asked == {CO_PRIMARY}:
        return (
            "Not all co-primary hypotheses have something to find anywhere: the numbers are trials that find all of "
            "them all the same."
        )
    if kinds == {True}:
        return "The true value reaches the margin everywhere: the numbers are trials that make the claim all the same."
    if kinds == {False}:
        return "The true difference is 0 everywhere: the numbers are trials that reject either way."
    return "There is nothing to find anywhere: the numbers are trials that make a false claim."
