"""The deployment's pattern and the hosts of other ingresses, as they bear on each place."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from extproc.core.ids import Jurisdiction, RegionId, RegionMask
from extproc.core.tables import Deployment, Pattern, Profile
from extproc.policy.compile.day import RulesOfDay
from extproc.policy.compile.rulings import mask_of
from extproc.policy.document import ANYWHERE, PolicyDocument


def deployment_of(document: PolicyDocument, regions: list[RegionId]) -> Deployment:
    """Compile what holds for every place: the pattern, which regions come first, and how much each takes."""
    written = document.deployment
    ranks: tuple[int, ...] = ()
    if written.pattern is Pattern.ACTIVE_PASSIVE:
        ranks = tuple(0 if any(fnmatchcase(region, pattern) for pattern in written.active) else 1 for region in regions)
    if written.pattern is Pattern.HUB_AND_SPOKE:
        ranks = tuple(int(region in written.hubs) for region in regions)
    return Deployment(
        pattern=written.pattern,
        ranks=ranks,
        drained=mask_of([any(fnmatchcase(region, pattern) for pattern in written.drain) for region in regions]),
        weights=tuple(written.weights.get(region, 1) for region in regions) if written.weights else (),
        slo_failover=document.identity.profile is not Profile.LEGAL_FIRST,
    )


def reach_of(
    rules: RulesOfDay, regions: list[RegionId], places: list[Jurisdiction]
) -> Mapping[Jurisdiction, RegionMask] | None:
    """Give the regions that the pattern leaves for each place that it leaves any; None where it leaves all."""
    written = rules.document.deployment
    match written.pattern:
        case Pattern.REGIONAL_SHARDING:
            found: dict[Jurisdiction, RegionMask] = {}
            for place in places:
                home = next((shard.region for shard in written.shards if rules.contains(shard.subjects, place)), None)
                if home is not None:
                    found[place] = mask_of([region == home for region in regions])
            return found
        case Pattern.HUB_AND_SPOKE:
            return {
                place: mask_of(
                    [
                        region in written.hubs or rules.document.regions[region].country == place[:2]
                        for region in regions
                    ]
                )
                for place in places
            }
        case _:
            return None


def redirects_of(rules: RulesOfDay, places: list[Jurisdiction]) -> Mapping[Jurisdiction, str]:
    """Give the host for each place that has one: by its own code, else its country's, else a zone's, in their order."""
    hosts = rules.document.ingress.redirect_hosts
    found: dict[Jurisdiction, str] = {}
    for place in places:
        host = hosts.get(place) or hosts.get(place[:2])
        if host is None:
            named = sorted(hosts, key=lambda name: (name == ANYWHERE, name))
            zones = (name for name in named if rules.contains((name,), place))
            host = next((hosts[name] for name in zones), None)
        if host is not None:
            found[place] = host
    return found
