"""From YAML to the written policy, strictly: one module for each part of the document.

Every fault is reported with its place and its mend, and references are checked where they are written. What needs the
whole policy to be seen (an empty permitted set, a rule that nothing reaches) is for a linter, and is not an error.
"""

from extproc.policy.document import PolicyDocument
from extproc.policy.parse.root import policy_document
from extproc.strict_yaml import read_text

__all__ = ["parse_policy", "policy_document"]


def parse_policy(data: bytes | str, *, file: str = "<policy>") -> PolicyDocument:
    """Parse a policy that is at hand; `file` is what its places are called by. Raises DocumentError."""
    return read_text(data, policy_document(), file=file)
