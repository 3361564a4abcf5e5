"""The three policies: the demo's, with its laws also over the class `public`, under each profile.

In the demo's own policy the class `public` is free under every profile, by a regime that says so. Here the laws govern
every class, so that what a profile does is seen: only `performance-first` may take `public` out of their hands.
"""

from importlib import resources
from typing import Any, Final

import yaml

from extproc.core.ids import RegionId
from extproc.core.tables import Profile

OPEN_DATA: Final = "open"
"""The token's tenant whose data is of the class `public`."""

_FREE: Final = "public"
_FREE_BY_REGIME: Final = "unregulated"


def policy_of(profile: Profile) -> str:
    """Write the policy of a profile. Any two differ in `policy.profile` and in whether `public` is unregulated."""
    policy = _laws_over_everything()
    policy["policy"]["profile"] = profile.value
    unregulated = profile is Profile.PERFORMANCE_FIRST
    policy["classes"] = {
        name: {"unregulated": True} if unregulated and name == _FREE else {} for name in policy["classes"]
    }
    text: str = yaml.safe_dump(policy, sort_keys=False, allow_unicode=True)
    return text


def round_trips_s() -> dict[RegionId, float]:
    """Give each region's declared round trip in seconds, nearest first."""
    regions = _demo()["regions"].items()
    return dict(sorted(((RegionId(name), entry["rtt_ms"] / 1000) for name, entry in regions), key=lambda pair: pair[1]))


def _laws_over_everything() -> dict[str, Any]:
    policy = _demo()
    policy["policy"]["id"] = "profiles"
    policy["regimes"] = [regime for regime in policy["regimes"] if regime["id"] != _FREE_BY_REGIME]
    for regime in policy["regimes"]:
        del regime["when"]["class_not"]
    policy["tenants"]["open-data"] = {"match": {"jwt.tenant": OPEN_DATA}, "class": _FREE}
    return policy


def _demo() -> dict[str, Any]:
    text = (resources.files("extproc.policy") / "examples" / "demo.yaml").read_text(encoding="utf-8")
    policy: dict[str, Any] = yaml.safe_load(text)
    return policy
