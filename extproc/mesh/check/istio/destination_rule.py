"""DestinationRule: how a region's cluster chooses among its cells. ISTIO: networking.istio.io."""

from collections.abc import Iterator

from extproc.mesh.check.finding import Finding
from extproc.mesh.check.istio.attached import Attached, found
from extproc.mesh.check.istio.rules import OUTLIER, SUBSET
from extproc.mesh.check.istio.scope import check_place
from extproc.mesh.check.paths import Camel
from extproc.mesh.check.resource import Resource
from extproc.mesh.check.rules.clusters import LOCALITY_FAILOVER, PANIC

_TARGETS = ("distribute", "failover", "failover_priority")


def check_destination_rule(rule: Resource, attached: Attached) -> Iterator[Finding]:
    """Judge one that is about a region's host."""
    host = rule.spec.at("host")
    if not attached.regions_of(host.text):
        return
    policy = rule.spec.at("traffic_policy")
    yield from _policy(rule, policy, is_whole=True)
    for port in policy.at("port_level_settings").each():
        # ISTIO: settings of a port replace those of the host, part by part.
        yield from _policy(rule, port, is_whole=False)
    for subset in rule.spec.at("subsets").each():
        name = subset.at("name").text
        yield found(SUBSET, rule, subset, f"there is a subset '{name}'", "remove it: a region is one cluster")
        yield from _policy(rule, subset.at("traffic_policy"), is_whole=False)
    if "*" not in host.text:
        yield from check_place(rule, attached.istio.namespace)


def _policy(rule: Resource, policy: Camel, *, is_whole: bool) -> Iterator[Finding]:
    locality = policy.at("load_balancer", "locality_lb_setting")
    mend = "write localityLbSetting: {enabled: false}"
    if is_whole or policy.at("load_balancer").is_there:
        if not locality.at("enabled").is_there:
            told = "it is not turned off, and Istio's default is on"
            yield found(LOCALITY_FAILOVER, rule, locality.at("enabled"), told, mend)
        elif locality.at("enabled").value not in (False, "false"):
            yield found(LOCALITY_FAILOVER, rule, locality.at("enabled"), "it is turned on", mend)
    for name in _TARGETS:
        if locality.at(name).is_there:
            yield found(
                LOCALITY_FAILOVER, rule, locality.at(name), "it says where else requests go", f"remove it; {mend}"
            )
    outlier = policy.at("outlier_detection")
    if is_whole and not outlier.is_there:
        mend = "write outlierDetection, like that of `situs mesh render --for istio`"
        yield found(OUTLIER, rule, outlier, "there is none", mend)
    percent = outlier.at("min_health_percent")
    if percent.is_there and percent.number != 0:
        told = f"with fewer than {percent.value} % of its cells left, Envoy sends to the ejected ones too"
        yield found(PANIC, rule, percent, told, "write minHealthPercent: 0")
