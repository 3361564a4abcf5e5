"""The policy language: from the YAML that an operator writes to the tables that tier 1 reads.

Owns the written form (:mod:`extproc.policy.document`, which is the manual), its strict parser, the compiler and the
policy's revision. Owns no decision: :mod:`extproc.core` reads the tables, and never this package. The program
evaluates the operator's policy; whether that policy is lawful is not something it can tell.

The path is `load_policy` → `parse_policy` (bytes to document, every fault with place and mend) → `compile_policy`
(pure, document to tables).
"""

from extproc.policy.canonical import format_canonical, revision_of
from extproc.policy.compile import CompiledPolicy, compile_policy
from extproc.policy.document import PolicyDocument
from extproc.policy.load import load_policy
from extproc.policy.parse import parse_policy

__all__ = [
    "CompiledPolicy",
    "PolicyDocument",
    "compile_policy",
    "format_canonical",
    "load_policy",
    "parse_policy",
    "revision_of",
]
