"""The compiler: a written policy to the tables that tier 1 reads. Pure, and total on documents that were parsed.

Evaluates every condition, zone, date and mechanism over the whole finite domain (epochs x profiles of tenants x classes
x jurisdictions x regions), so that a decision is left with dictionary reads. What several regimes say of one place
is put together when it is first asked for, from what each says, and nothing is evaluated then. It parses nothing and
checks nothing: the parser has done both.
"""

from extproc.policy.compile.policy import CompiledPolicy, compile_policy, suspension_of

__all__ = ["CompiledPolicy", "compile_policy", "suspension_of"]
