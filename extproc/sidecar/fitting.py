"""Whether one configuration can take the place of another, or stand beside it, without a change to Envoy.

Envoy was rendered for the policy that a sidecar started by: which clusters there are, which headers and attributes are
sent at all, where the edge is. A policy that needs more is refused here, before it is kept or recorded.
"""

from pathlib import Path

from extproc.core.reading import Reading
from extproc.policy.compile import CompiledPolicy


class ConfigurationError(Exception):
    """A configuration that cannot be used; the message names the place and the mend."""


def check_same_envoy(rendered: CompiledPolicy, loaded: CompiledPolicy) -> None:
    """Refuse a configuration that an Envoy which was rendered for `rendered` cannot carry out.

    Who may use what is the sidecar's answer and may change at any time. The edge, the clusters and what is sent to the
    sidecar are Envoy's configuration: a plan that Envoy has not would be refused by it, and an edge that differs would
    place clients wrongly. Raises ConfigurationError.
    """
    reasons: list[str] = []
    # Envoy's clusters keep their cells: one that stays must stand for the same place.
    places = {each.cluster: (each.id, each.country, each.subdivision) for each in rendered.tables.regions}
    moved = [
        each.id
        for each in loaded.tables.regions
        if places.get(each.cluster) != (each.id, each.country, each.subdivision)
    ]
    if moved:
        reasons.append(f"it has regions or clusters that are new or elsewhere ({', '.join(moved)})")
    if loaded.tables.plan_length > rendered.tables.plan_length:
        reasons.append("its plans are longer")
    if loaded.reading.trusted_hops != rendered.reading.trusted_hops:
        reasons.append("it declares another edge")
    reasons += _unsent(rendered.reading, loaded.reading, set(loaded.reading.headers))
    if (loaded.reading.payload is None) != (rendered.reading.payload is None):
        reasons.append("it begins or ends to read payloads")
    if reasons:
        raise ConfigurationError(
            f"the changed policy needs another Envoy configuration: {'; '.join(reasons)}. "
            "Mend: render Envoy's configuration anew, restart Envoy with it and then this sidecar"
        )


def check_shadow(live: Reading, shadow: Reading, file: Path | None) -> None:
    """Refuse a shadow policy whose facts Envoy does not send: its verdicts would be about other requests."""
    if reasons := unseen(live, shadow):
        raise ConfigurationError(
            f"{file}: the shadow policy would not see what it reads, beside this live policy: "
            f"{'; '.join(reasons)}. Mend: let the live policy read it first, which by itself can only narrow"
        )


def unseen(live: Reading, shadow: Reading) -> list[str]:
    """List what a shadow policy reads and the requests of the live one do not show."""
    # What a shadow policy would have kept of a person is kept for the live one alone: only declarations count.
    reasons = _unsent(live, shadow, set(shadow.declarations))
    if shadow.trusted_hops != live.trusted_hops:
        reasons.append("it declares another edge")
    if shadow.payload is not None and live.payload is None:
        reasons.append("it reads payloads")
    return reasons


def _unsent(sent: Reading, wanted: Reading, headers: set[str]) -> list[str]:
    """List what one policy reads of a request, `headers` among it, and an Envoy rendered for another does not send."""
    reasons = []
    if others := sorted(headers - set(sent.headers)):
        reasons.append(f"it reads other headers ({', '.join(others)})")
    if wanted.claims and not sent.claims:
        reasons.append("it reads verified claims")
    if wanted.certificates and not sent.certificates:
        reasons.append("it reads client certificates")
    payloads = wanted.payload, sent.payload
    if payloads[0] is not None and payloads[1] is not None and payloads[0].limit_bytes > payloads[1].limit_bytes:
        reasons.append("it reads more of each payload")
    return reasons
