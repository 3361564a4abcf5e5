"""From bytes to a policy that may be used: signatures, policy, and no way back, in this order."""

from dataclasses import dataclass
from hashlib import sha256

from extproc.bundle.bundle import looks_signed, open_bundle
from extproc.bundle.errors import UntrustedError
from extproc.bundle.rollback import Standing, check_rollback
from extproc.bundle.trust import Trust
from extproc.policy.compile import CompiledPolicy, compile_policy
from extproc.policy.parse import parse_policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A policy that may be used. `signers` are empty where none were asked for."""

    compiled: CompiledPolicy
    standing: Standing
    signers: tuple[str, ...]


def accept(
    data: bytes,
    *,
    file: str,
    trust: Trust | None,
    last: Standing | None = None,
    forced_version: int | None = None,
) -> Accepted:
    """Open, parse and compile a bundle, or a plain policy where `trust` is None.

    `file` is what places are called by. Raises BundleError (UntrustedError, RollbackError) and DocumentError.
    """
    # 1. Nothing is parsed that nobody vouches for.
    if trust is None:
        if looks_signed(data):
            mend = "name the keys that may sign policies, or give the plain policy"
            raise UntrustedError(f"{file}: a signed bundle, but no keys are trusted. Mend: {mend}")
        text = data
        signers: tuple[str, ...] = ()
    else:
        opened = open_bundle(data, trust.keys, needed=trust.needed, file=file)
        text, signers = opened.text.encode(), opened.signers

    # 2. What it says.
    compiled = compile_policy(parse_policy(text, file=file))
    tables = compiled.tables
    standing = Standing(
        policy=tables.id, version=tables.version, revision=tables.revision, digest=sha256(text).hexdigest()
    )

    # 3. Whether it may follow what was before.
    check_rollback(last, standing, forced_version=forced_version)
    return Accepted(compiled=compiled, standing=standing, signers=signers)
