"""Starter policies: what `situs policy init` writes.

`regimes/` holds the law as data, one file for each body of law, with its citations, dates and doubts. `parts/` holds
the rest of a policy: zones, example regions and tenants, tests. `compose` makes whole documents of them, so that every
comment reaches the operator who has to answer for the policy.

This is material for an operator's own policy, never legal advice.
"""

from extproc.policy.starter.compose import compose
from extproc.policy.starter.presets import DEFAULT_PRESET, PRESETS, PROFILES, Preset, PresetError

__all__ = ["DEFAULT_PRESET", "PRESETS", "PROFILES", "Preset", "PresetError", "compose"]
