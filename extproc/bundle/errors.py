"""The one error tree of bundles. Each error names the place and the mend."""

from collections.abc import Sequence

from extproc.strict_yaml import Problem


class BundleError(Exception):
    """Anything for which a bundle is not taken. Faults of the policy in it are a DocumentError, with their places."""


class UnsignableError(BundleError):
    """A policy whose text a signed note cannot hold. `problems` are in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class TrustError(BundleError):
    """Keys that cannot be trusted with policies as they are listed, or more signatures asked than they can give."""


class UntrustedError(BundleError):
    """A bundle that too few trusted keys have signed, or that was changed after somebody signed it."""


class RollbackError(BundleError):
    """A policy that is older than the last good one, or another."""


class StateError(BundleError):
    """The last good bundle cannot be read or written."""


class SourceError(BundleError):
    """A source that did not give its file. It may do so later."""

    def __init__(self, source: str, message: str, mend: str) -> None:
        super().__init__(f"{source}: {message}. Mend: {mend}")
        self.source = source
        self.message = message
        self.mend = mend
