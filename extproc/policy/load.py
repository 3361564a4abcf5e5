"""A policy from a file to tables: the one place of this package that touches the disk."""

from pathlib import Path

from extproc.policy.compile import CompiledPolicy, compile_policy
from extproc.policy.parse import policy_document
from extproc.strict_yaml import read_document


def load_policy(path: Path) -> CompiledPolicy:
    """Read, check and compile the policy at `path`.

    Raises DocumentError with every fault that was found, each with its place and its mend.
    """
    return compile_policy(read_document(path, policy_document()))
