"""Which policy may follow the last good one, as a table."""

import pytest

from extproc.bundle.errors import RollbackError
from extproc.bundle.rollback import Standing, check_rollback
from extproc.core.ids import PolicyRevision


def _standing(policy: str = "main", version: int = 5, revision: str = "r1", digest: str = "d1") -> Standing:
    return Standing(policy=policy, version=version, revision=PolicyRevision(revision), digest=digest)


_LAST = _standing()


@pytest.mark.parametrize(
    ("new", "forced", "refused"),
    [
        (_standing(), None, None),
        (_standing(digest="d2"), None, None),  # a comment was changed
        (_standing(revision="r2"), None, None),  # the same text, by another release of the program
        (_standing(version=6, revision="r2", digest="d2"), None, None),
        (_standing(version=7, revision="r1", digest="d2"), None, None),
        (_standing(revision="r2", digest="d2"), None, "says something else .*above 5"),
        (_standing(version=4, revision="r2", digest="d2"), None, "a way back.*above 5.*--force-policy-version 4"),
        (_standing(version=4, digest="d2"), None, "a way back"),
        (_standing(policy="other", digest="d2"), None, "another policy.*--force-policy-version 5"),
        (_standing(policy="other", version=9, revision="r2", digest="d2"), None, "another policy"),
        (_standing(version=4, revision="r2", digest="d2"), 4, None),
        (_standing(version=4, revision="r2", digest="d2"), 3, "a way back"),
        (_standing(version=4, revision="r2", digest="d2"), 5, "a way back"),
        (_standing(revision="r2", digest="d2"), 5, None),
        (_standing(policy="other", version=9, revision="r2", digest="d2"), 9, None),
        (_standing(policy="other", version=9, revision="r2", digest="d2"), 8, "another policy"),
        (_standing(version=6, revision="r2", digest="d2"), 4, None),  # the forced one came, and a later one after it
    ],
)
def test_no_way_back(new: Standing, forced: int | None, refused: str | None) -> None:
    if refused is None:
        check_rollback(_LAST, new, forced_version=forced)
    else:
        with pytest.raises(RollbackError, match=refused):
            check_rollback(_LAST, new, forced_version=forced)


def test_the_first_policy_follows_nothing() -> None:
    check_rollback(None, _LAST)
