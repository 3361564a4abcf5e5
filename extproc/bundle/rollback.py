"""No way back: which policy may follow the last good one. Pure rules.

A source, or somebody between it and the sidecar, can hold on to an old bundle whose signatures are as good as ever. So
a policy's version counts up with every change that is put in force, and only a person's order goes another way.

A source that holds back what is new is not noticed here: a policy's `review_by` says by when there must be another.
"""

from dataclasses import dataclass

from extproc.bundle.errors import RollbackError
from extproc.core.ids import PolicyRevision


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Which policy it is. `digest` is the SHA-256 of its text as written, without signatures, in hex."""

    policy: str
    version: int
    revision: PolicyRevision
    digest: str

    def __str__(self) -> str:
        return f"{self.policy} version {self.version}"


def check_rollback(last: Standing | None, new: Standing, *, forced_version: int | None = None) -> None:
    """Refuse `new` where it is not the last good policy itself, nor a later version of it.

    `forced_version` lets exactly that version through, whatever was before. Raises RollbackError.
    """
    # The same text is the same policy even where another release of the program gives it another revision.
    if last is None or new.digest == last.digest or new.version == forced_version:
        return
    force = f"start the sidecar with --force-policy-version {new.version}, if that is meant"
    if new.policy != last.policy:
        raise RollbackError(f"the policy is {new}, and the last good one {last}: another policy. Mend: {force}")
    if new.version < last.version:
        raise RollbackError(
            f"the policy is {new}, and the last good one {last}: a way back. "
            f"Mend: give it a version above {last.version} and sign it; or {force}"
        )
    if new.version == last.version and new.revision != last.revision:
        raise RollbackError(
            f"the policy is {new} like the last good one, but says something else ({new.revision}, was "
            f"{last.revision}). Mend: give it a version above {last.version} and sign it; or {force}"
        )
