"""The one table from refusals to what an HTTP client is told.

Titles and details are for a person; they hold nothing of the request. The reason code is for a program.
"""

from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from extproc.core.reasons import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The status of a refusal and its two sentences in `application/problem+json`."""

    status: HTTPStatus
    title: str
    detail: str


_LEGAL = HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS  # RFC 7725

REFUSALS: Final = MappingProxyType(
    {
        Refusal.MALFORMED_REQUEST: Answer(
            status=HTTPStatus.BAD_REQUEST,
            title="The request could not be read",
            detail="The routing tier received no usable request headers. Send an ordinary HTTP request.",
        ),
        Refusal.MALFORMED_DECLARATION: Answer(
            status=HTTPStatus.BAD_REQUEST,
            title="A declaration is malformed",
            detail="A declared jurisdiction must be one ISO 3166 code and a data class one of the operator's words.",
        ),
        Refusal.CONFLICTING_DECLARATIONS: Answer(
            status=HTTPStatus.BAD_REQUEST,
            title="Declarations contradict each other",
            detail="The same declaration was sent with different values. Send it once.",
        ),
        Refusal.CONFLICTING_SIGNALS: Answer(
            status=HTTPStatus.BAD_REQUEST,
            title="The declared jurisdiction contradicts another",
            detail="The operator's policy refuses requests whose signals name different jurisdictions.",
        ),
        Refusal.POLICY_NOT_IN_FORCE: Answer(
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            title="No policy is in force",
            detail="The operator's policy has no rules for this time.",
        ),
        Refusal.UNKNOWN_TENANT: Answer(
            status=HTTPStatus.FORBIDDEN,
            title="The tenant is not known",
            detail="The request is bound to no tenant of the operator's policy.",
        ),
        Refusal.UNKNOWN_MODEL: Answer(
            status=HTTPStatus.NOT_FOUND,
            title="The model is not known",
            detail="The operator's policy approves no such model in any region.",
        ),
        Refusal.UNKNOWN_CLASS: Answer(
            status=HTTPStatus.BAD_REQUEST,
            title="The data class is not known",
            detail="The declared data class is not one of the operator's words.",
        ),
        Refusal.UNKNOWN_JURISDICTION: Answer(
            status=_LEGAL,
            title="The jurisdiction is not known",
            detail="It could not be established whose law claims this data, so no region is permitted to process it.",
        ),
        Refusal.UNGOVERNED_JURISDICTION: Answer(
            status=_LEGAL,
            title="The jurisdiction is not covered",
            detail="The policy has no rules for this jurisdiction and data class, so no region is permitted.",
        ),
        Refusal.WRONG_INGRESS: Answer(
            status=HTTPStatus.MISDIRECTED_REQUEST,  # RFC 9110 section 15.5.20; 307 where another host takes it
            title="The request arrived in the wrong place",
            detail="The region in which this request arrived may not process it. Send it to the right host.",
        ),
        Refusal.NO_PERMITTED_REGION: Answer(
            status=_LEGAL,
            title="No region is permitted",
            detail="No region that serves this model is permitted to process this request.",
        ),
        Refusal.NO_SERVING_REGION: Answer(
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            title="No permitted region can serve now",
            detail="The regions that may process this request cannot serve at the moment. Try again later.",
        ),
        Refusal.SPILL_REFUSED: Answer(
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            title="The permitted regions are full",
            detail="The regions that may process this request have no room for it at the moment. Try again later.",
        ),
        Refusal.NO_ELIGIBLE_REGION: Answer(
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            title="No permitted region is fit to serve now",
            detail="The regions that may process this request do not serve the approved model at the moment, or lack "
            "what they need for it. Try again later.",
        ),
        Refusal.LOG_UNAVAILABLE: Answer(
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            title="The decision could not be recorded",
            detail="Requests are refused while decisions cannot be recorded. Try again later.",
        ),
    }
)
