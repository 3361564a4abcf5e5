"""The one error tree of witnesses and of those who ask them. Each error says where and what, and names the mend."""


class WitnessError(Exception):
    """Anything that is wrong with a witness, its state, or a checkpoint that is to be cosigned."""


class RequestError(WitnessError):
    """A request in the wrong form, or one that no log could mean."""


class UnknownLogError(WitnessError):
    """A checkpoint of a log that this witness was not told of."""


class UntrustedError(WitnessError):
    """A checkpoint, or a delegation, that no key of its log has signed, or whose signature is not what it claims."""


class ConflictError(WitnessError):
    """A request that starts from another size than the latest cosigned one, `size`."""

    def __init__(self, origin: str, size: int) -> None:
        super().__init__(f"{origin}: the latest cosigned checkpoint has {size} entries")
        self.size = size


class InconsistentError(WitnessError):
    """A checkpoint that does not continue the latest cosigned one."""


class StateError(WitnessError):
    """A state file that cannot be used."""


class DivergedError(WitnessError):
    """A log and a witness tell different histories. Nothing more may be built on this log before a person has looked.

    `ours` is our signed note. `theirs` is the signed note that the witness shows, or None where it shows none.
    `witness` is its name in the policy, `size` that of the tree it has cosigned.
    """

    def __init__(self, message: str, *, witness: str, size: int, ours: bytes, theirs: bytes | None) -> None:
        super().__init__(message)
        self.witness = witness
        self.size = size
        self.ours = ours
        self.theirs = theirs


class RolledBackError(DivergedError):
    """A witness has cosigned a larger tree than we hold: entries are gone from here."""


class ForkedError(DivergedError):
    """A witness has cosigned a tree that ours does not continue: there are two histories under one key."""
