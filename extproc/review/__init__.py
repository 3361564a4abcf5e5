"""Questions about a policy, for the person who answers for it: lint, explain, compare, foresee.

Everything here reads compiled policies and, where it says so, decision logs. Nothing here decides: answers come from
the same tier 1 that answers requests (:func:`extproc.core.decide.rule`), so what is explained is what happens.
"""
