"""Reason codes, bases and profiles as sentences. Each table is whole: a code without words is an error of ours."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from extproc.core.reasons import Exclusion, Refusal
from extproc.core.tables import Basis, Profile

_BASES: Final[Mapping[Basis, str]] = MappingProxyType(
    {
        Basis.INTERNAL: "inside the regime's own territory; no transfer",
        Basis.UNRESTRICTED: "not restricted by the regime; no transfer",
        Basis.ADEQUACY: "a transfer, because the law of the destination is found adequate",
        Basis.SAFEGUARDS: "a transfer, under appropriate safeguards",
        Basis.DEROGATION: "a transfer, under a derogation for specific situations",
    }
)

_EXCLUSIONS: Final[Mapping[Exclusion, str]] = MappingProxyType(
    {
        Exclusion.NO_PERMIT: "no permit of the regime covers the region and is enabled and in force",
        Exclusion.CLASS_RULE: "the regime's rule for the data class leaves out the permit that would cover the region",
        Exclusion.PROFILE: "only a transfer would reach the region, and the profile of the policy is legal-first",
        Exclusion.PERMIT_SUSPENDED: "a legal order suspends every permit that would cover the region",
        Exclusion.TENANT: "the tenant's own list does not hold the region",
        Exclusion.MODEL: "the region is not approved to serve the model",
        Exclusion.RESIDENCY: "the model may not leave its own territory",
        Exclusion.MODEL_SUSPENDED: "a legal order suspends the model",
        Exclusion.DEPLOYMENT: "the deployment's pattern keeps the request in another region",
        Exclusion.SUSPENDED: "a legal order suspends the region",
        Exclusion.MODEL_UNAPPROVED: "a cell of the region serves another version or other bytes of the model",
        Exclusion.MODEL_UNVERIFIED: "no cell of the region has shown lately that it serves what is approved",
        Exclusion.DEPENDENCY_STALE: "something that the region needs to serve is too old, or does not answer",
    }
)

_REFUSALS: Final[Mapping[Refusal, str]] = MappingProxyType(
    {
        Refusal.MALFORMED_REQUEST: "it is not a request that can be read",
        Refusal.MALFORMED_DECLARATION: "a declared header or a verified claim holds what its vocabulary does not have",
        Refusal.CONFLICTING_DECLARATIONS: "one declared header arrived with two different values",
        Refusal.CONFLICTING_SIGNALS: "the signals name different jurisdictions, and the policy refuses such requests",
        Refusal.POLICY_NOT_IN_FORCE: "the policy is not in force yet, so it says nothing of that time",
        Refusal.UNKNOWN_TENANT: "the request is bound to no tenant of the policy",
        Refusal.UNKNOWN_MODEL: "no region is approved for the model",
        Refusal.UNKNOWN_CLASS: "a data class is declared that the policy does not have",
        Refusal.UNKNOWN_JURISDICTION: "no authenticated signal says whose law claims the data",
        Refusal.UNGOVERNED_JURISDICTION: "no regime of the policy governs data of this class from this place",
        Refusal.WRONG_INGRESS: "the policy's regimes do not permit the region in which the request arrived",
        Refusal.NO_PERMITTED_REGION: "no region is permitted by all that must permit it",
        Refusal.NO_SERVING_REGION: "regions are permitted, but none of them can serve now",
        Refusal.SPILL_REFUSED: "regions are permitted, and all that can serve are full",
        Refusal.NO_ELIGIBLE_REGION: "regions are permitted, but none of them is fit to serve now",
        Refusal.LOG_UNAVAILABLE: "the decision could not be recorded",
    }
)

_PROFILES: Final[Mapping[Profile, str]] = MappingProxyType(
    {
        Profile.LEGAL_FIRST: "no transfer counts, whatever is written",
        Profile.HYBRID: "transfers count where a permit for them is in force and enabled",
        Profile.PERFORMANCE_FIRST: "as hybrid, and classes marked unregulated go anywhere",
    }
)


def basis_in_words(basis: Basis) -> str:
    """Say what a basis is, and whether it makes a transfer, in words that hold for every regime."""
    return _BASES[basis]


def exclusion_in_words(exclusion: Exclusion) -> str:
    """Say why a region is excluded."""
    return _EXCLUSIONS[exclusion]


def refusal_in_words(refusal: Refusal) -> str:
    """Say why a request is refused, for a sentence that begins with "refused, because"."""
    return _REFUSALS[refusal]


def profile_in_words(profile: Profile) -> str:
    """Say how far a policy of this profile may go."""
    return _PROFILES[profile]
