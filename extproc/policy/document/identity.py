"""`policy:` and `ingress:`: which policy this is, and where requests arrive."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from extproc.core.ids import RegionId
from extproc.core.tables import OnMismatch, Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """`policy:` which policy this is, and from when it is in force."""

    id: str
    """A name that stays the same over all versions, such as `acme-prod`. Stands in every record."""

    version: int
    """Counts up from 1 with each change that is put in force. For people; programs compare revisions."""

    as_of: date
    """The day, from its midnight UTC, from which the policy is in force, and whose law it describes. Requests
    before it are refused: nobody has said what was lawful then."""

    review_by: date
    """The day by which somebody must have looked at it again. Not before `as_of`. The policy stays in force after
    it, because an outage on a date is no review; reports warn."""

    profile: Profile
    """`legal-first`: no transfer, whatever permits are written. `hybrid`: transfers under the permits that are written
    and enabled. `performance-first`: likewise, and classes marked `unregulated` go wherever they are served fastest. No
    default: how far this policy may go is its first sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingress:
    """`ingress:` where requests arrive, and what stands in front."""

    region: RegionId
    """The region in which this sidecar and its Envoy stand. `situs serve --region` says it for a sidecar that shares
    the policy with others elsewhere."""

    trusted_hops: int
    """`edge: direct` gives 0: clients connect to Envoy themselves. `edge: {trusted_hops: N}` says that N proxies of
    your own stand in front, each adding to `x-forwarded-for`. No default: a wrong number lets clients forge where
    they are."""

    on_mismatch: OnMismatch = OnMismatch.OBSERVE
    """What follows when the regimes do not permit the region in which the request arrived: TLS ended there, so its data
    has moved before anything was routed. `observe` records it, `redirect` sends the client to the right host (307)
    before it sends a body, or refuses where there is none, `refuse` answers 421. Default: `observe`."""

    redirect_hosts: Mapping[str, str] = field(default_factory=dict)
    """Host names by place (a zone or a code); the most specific place counts. Only with `redirect`. Default: none."""
