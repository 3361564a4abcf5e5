"""Why a request was refused and why a region was excluded: the closed sets of reason codes.

The codes are part of the record format and of the answers to clients. What HTTP status a refusal becomes is the
wire's business (:mod:`extproc.wire.refusals`).
"""

from enum import StrEnum


class Fault(StrEnum):
    """What the edge found wrong with a request before anything could be decided."""

    MALFORMED_REQUEST = "malformed_request"
    """Not a request that Envoy would send: no headers, no method or path, or bytes that do not parse."""

    MALFORMED_DECLARATION = "malformed_declaration"
    """A declared header or a verified claim holds something that is not a value of its vocabulary."""

    CONFLICTING_DECLARATIONS = "conflicting_declarations"
    """One declared header arrived with two different values."""


class Refusal(StrEnum):
    """Why a request goes nowhere."""

    MALFORMED_REQUEST = "malformed_request"
    MALFORMED_DECLARATION = "malformed_declaration"
    CONFLICTING_DECLARATIONS = "conflicting_declarations"

    CONFLICTING_SIGNALS = "conflicting_signals"
    """Signals name different jurisdictions and the policy says to refuse then (`conflict: deny`)."""

    POLICY_NOT_IN_FORCE = "policy_not_in_force"
    """The policy has no rules for the time of the request."""

    UNKNOWN_TENANT = "unknown_tenant"
    UNKNOWN_MODEL = "unknown_model"

    UNKNOWN_CLASS = "unknown_class"
    """A data class was declared that the policy does not have."""

    UNKNOWN_JURISDICTION = "unknown_jurisdiction"
    """No authenticated signal says whose law claims the data."""

    UNGOVERNED_JURISDICTION = "ungoverned_jurisdiction"
    """No regime of the policy governs this jurisdiction and class: undefined, so refused."""

    WRONG_INGRESS = "wrong_ingress"
    """The regimes do not permit the region in which the request arrived, and the policy does not let that pass."""

    NO_PERMITTED_REGION = "no_permitted_region"
    """Tier 1 left nothing."""

    NO_SERVING_REGION = "no_serving_region"
    """Regions are permitted, but none of them can serve now. Never widened."""

    SPILL_REFUSED = "spill_refused"
    """Every permitted region that can serve is full. The request is sent nowhere else."""

    NO_ELIGIBLE_REGION = "no_eligible_region"
    """The law permits regions, but none of them is fit: an unapproved model, or a dependency that is stale."""

    LOG_UNAVAILABLE = "log_unavailable"
    """The decision could not be recorded as durably as the mode promises, so it was not released."""

    @property
    def is_of_service(self) -> bool:
        """Tell whether it is tier 2's: regions are permitted, and none of them can take the request now."""
        return self in (Refusal.NO_SERVING_REGION, Refusal.SPILL_REFUSED)


class Exclusion(StrEnum):
    """Why tier 1 removed a region."""

    NO_PERMIT = "no_permit"
    """A regime that applies has no permit that covers the region and is enabled and in force."""

    CLASS_RULE = "class_rule"
    """A permit would cover the region, but the regime's rule for the data class does not list it."""

    PROFILE = "profile"
    """A permit would cover the region by a transfer, and the policy's profile is legal-first."""

    PERMIT_SUSPENDED = "permit_suspended"
    """A legal override suspends every permit that would cover the region."""

    TENANT = "tenant"
    """The tenant's own list does not hold the region."""

    MODEL = "model"
    """The region is not approved to serve the model."""

    RESIDENCY = "residency"
    """The model may not leave its own territory."""

    MODEL_SUSPENDED = "model_suspended"
    """A legal override suspends the model."""

    DEPLOYMENT = "deployment"
    """The deployment's pattern keeps the request in another region."""

    SUSPENDED = "suspended"
    """A legal override suspends the region."""

    MODEL_UNAPPROVED = "model_unapproved"
    """A cell of the region serves another version or other bytes of the model than the policy approves."""

    MODEL_UNVERIFIED = "model_unverified"
    """No cell of the region has shown, lately, that it serves the version and the bytes that the policy approves."""

    DEPENDENCY_STALE = "dependency_stale"
    """Something that the region needs to serve is older than the policy lets it be, or does not answer."""

    @property
    def is_of_fitness(self) -> bool:
        """Tell whether the region may be permitted again without a change of law, policy or orders."""
        return self in _OF_FITNESS


_OF_FITNESS = frozenset({Exclusion.MODEL_UNAPPROVED, Exclusion.MODEL_UNVERIFIED, Exclusion.DEPENDENCY_STALE})
