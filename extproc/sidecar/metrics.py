"""The sidecar's Prometheus metrics. Labels come from closed sets, so cardinality is bounded."""

from collections import Counter as Counting
from collections.abc import Sequence
from math import inf, nan
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from extproc.core.delivery import Finding
from extproc.core.ids import ModelId
from extproc.core.reasons import Refusal
from extproc.core.routing.choose import Moment, believe
from extproc.core.routing.health import HealthState
from extproc.core.routing.learn import slo_of
from extproc.core.shadow import ShadowDifference
from extproc.core.snapshot import Snapshot
from extproc.core.steering import Deny, Steering
from extproc.core.tables import Region
from extproc.ledger.commit import Ledger
from extproc.sidecar.configuration import Configuration
from extproc.sidecar.upkeep import Upkeep

_UP: Final = {HealthState.UP: 1.0, HealthState.HALF_OPEN: 0.75, HealthState.UNKNOWN: 0.5, HealthState.DOWN: 0.0}

_COUNTED: Final = Moment(in_flight=(0,))
"""For asking what a budget is, as if requests were counted."""


class Metrics:
    """All metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._decisions = Counter(
            "situs_decisions_total",
            "Decisions released, by outcome; for refusals with the reason code.",
            ["outcome", "reason"],
            registry=self.registry,
        )
        self._deliveries = Counter(
            "situs_deliveries_total",
            "Requests that Envoy reported, by what reconciliation found.",
            ["finding"],
            registry=self.registry,
        )
        self.violations = Counter(
            "situs_violations_total",
            "Requests that reached a region which their decision did not name. The only acceptable value is 0.",
            registry=self.registry,
        )
        self.unrecorded = Counter(
            "situs_unrecorded_total",
            "Requests refused because their decision could not be recorded.",
            registry=self.registry,
        )
        self.reloads = Counter(
            "situs_reloads_total",
            "Configuration changes taken, and changes refused with the last good one kept.",
            ["result"],
            registry=self.registry,
        )
        self.forgotten = Gauge(
            "situs_deliveries_forgotten",
            "Decisions whose delivery Envoy never reported in time.",
            registry=self.registry,
        )
        self.awaited = Gauge(
            "situs_deliveries_awaited",
            "Decisions whose delivery is awaited.",
            registry=self.registry,
        )
        self.inert = Gauge(
            "situs_inert_orders",
            "Legal orders about regions, permits or models that the policy does not have.",
            registry=self.registry,
        )
        self.stale = Gauge(
            "situs_configuration_stale",
            "1 while changed files cannot be used and the last good configuration is in force.",
            registry=self.registry,
        )
        self.bad_log_messages = Counter(
            "situs_bad_access_log_messages_total",
            "Access log messages that could not be read.",
            registry=self.registry,
        )
        self._regions = Gauge(
            "situs_region_up",
            "Whether a region can serve, as decisions see it: 1 up, 0.75 half open, 0.5 unknown, 0 down.",
            ["region"],
            registry=self.registry,
        )
        self.log_streams = Gauge(
            "situs_access_log_streams",
            "Streams on which Envoy reports. With 0, requests in flight are not counted, and no budget holds.",
            registry=self.registry,
        )
        self._in_flight = Gauge(
            "situs_region_in_flight",
            "Requests that were released to a region and have not ended, by this process and those beside it.",
            ["region"],
            registry=self.registry,
        )
        self._budgets = Gauge(
            "situs_region_budget",
            "Requests that may be in flight in a region before the next one is used; +Inf where nothing bounds it.",
            ["region"],
            registry=self.registry,
        )
        self._latencies = Gauge(
            "situs_region_latency_seconds",
            "The round trip to a region by which decisions order it; NaN while none is known.",
            ["region"],
            registry=self.registry,
        )
        self._unfit = Gauge(
            "situs_region_unfit_models",
            "Models that a region may not serve now, because of what it serves or what it depends on.",
            ["region"],
            registry=self.registry,
        )
        self._slo_misses = Counter(
            "situs_slo_misses_total",
            "Attempts that took longer than the policy promises of their region and model.",
            ["region"],
            registry=self.registry,
        )
        # Looked up once: a label is as dear as the whole geolocation of a request.
        self._steered = self._decisions.labels("steered", "")
        self._refused = {refusal: self._decisions.labels("refused", refusal.value) for refusal in Refusal}
        self.geo_unreadable = Gauge(
            "situs_geo_unreadable_records",
            "Lookups whose record in the geolocation database could not be read. Anything but 0 is a damaged database.",
            registry=self.registry,
        )
        shadowed = Counter(
            "situs_shadow_decisions_total",
            "Decisions beside which a shadow policy was evaluated, by how what it permits differs from what is live.",
            ["difference"],
            registry=self.registry,
        )
        self._shadowed = {difference: shadowed.labels(difference.value) for difference in ShadowDifference}
        self.policy_confirmed = Gauge(
            "situs_policy_confirmed_timestamp_seconds",
            "When the source of the policy last said that it holds the one in force. Only for one that is polled.",
            registry=self.registry,
        )
        self._policy = Gauge(
            "situs_policy_version",
            "Version of the policy in force, by its id.",
            ["policy"],
            registry=self.registry,
        )
        self._geo_age = Gauge(
            "situs_geo_database_age_seconds",
            "How long ago the vendor built a geolocation database.",
            ["database"],
            registry=self.registry,
        )
        self.payload_faults = Gauge(
            "situs_payload_faults",
            "Payloads at which the classifier stumbled, so that they counted as unreadable. Anything but 0 is a fault.",
            registry=self.registry,
        )
        self._disk_free = Gauge(
            "situs_log_disk_free_bytes", "Bytes left on the disk of the decision log.", registry=self.registry
        )
        self._waiting = Gauge(
            "situs_log_waiting_entries", "Entries that wait to be written to the decision log.", registry=self.registry
        )
        self._key_expiry = Gauge(
            "situs_log_key_expiry_timestamp_seconds",
            "When the key that signs the decision log may sign no more; +Inf for a key without a window.",
            registry=self.registry,
        )
        self._witnessed_age = Gauge(
            "situs_log_witnessed_age_seconds",
            "How long ago enough witnesses had cosigned all that was published. Only where there are witnesses.",
            registry=self.registry,
        )
        self._diverged = Gauge(
            "situs_log_diverged",
            "1 once a witness has told another history of this log: it was forked or set back. A person must look.",
            registry=self.registry,
        )
        self._ship_lag = Gauge(
            "situs_log_ship_lag_seconds",
            "Age of the oldest entry that may not be in the store of its region. Only where this process ships.",
            registry=self.registry,
        )
        self._found = {finding: self._deliveries.labels(finding.value) for finding in Finding}
        for result in ("taken", "refused"):
            self.reloads.labels(result)

    def decided(self, steering: Steering, shadow: ShadowDifference | None = None) -> None:
        """Count a released decision, and how the shadow policy's answer differs from it."""
        if shadow is not None:
            self._shadowed[shadow].inc()
        if isinstance(steering, Deny):
            self._refused[steering.refusal].inc()
        else:
            self._steered.inc()

    def configured(self, configuration: Configuration, now_s: float) -> None:
        """Export what decisions are made by at `now_s`."""
        self._policy.labels(configuration.tables.id).set(configuration.tables.version)
        unreadable = 0
        for name, database in (("places", configuration.database), ("anonymity", configuration.anonymity)):
            if database is not None:
                self._geo_age.labels(name).set(database.age_s(now_s))
                unreadable += database.unreadable
        self.geo_unreadable.set(unreadable)

    def seen(self, snapshot: Snapshot, in_flight: Sequence[int], now_s: float) -> None:
        """Export what decisions see of the regions at `now_s`; `in_flight` is empty while nothing can be counted."""
        unfit = Counting(each.region for found in snapshot.fitness.values() for each in found)
        for region, standing in zip(snapshot.policy.regions, snapshot.standings, strict=True):
            estimate = believe(region, standing, 0, now_s=now_s, moment=_COUNTED)
            self._regions.labels(region.id).set(_UP[estimate.state])
            self._budgets.labels(region.id).set(inf if estimate.budget is None else estimate.budget)
            self._latencies.labels(region.id).set(nan if estimate.latency_s is None else estimate.latency_s)
            self._unfit.labels(region.id).set(unfit[region.id])
        for region, count in zip(snapshot.policy.regions, in_flight, strict=False):
            self._in_flight.labels(region.id).set(count)

    def tried(self, region: Region, model: ModelId | None, took_s: float) -> None:
        """Count an attempt in a region that took longer than the policy promises."""
        promised_s = slo_of(region, model)
        if promised_s is not None and took_s > promised_s:
            self._slo_misses.labels(region.id).inc()

    def kept(self, ledger: Ledger, upkeep: Upkeep, now_s: float) -> None:
        """Export the state of the log and of what is done beside it."""
        self._disk_free.set(ledger.room.free_bytes)
        self._waiting.set(ledger.waiting)
        self._key_expiry.set(upkeep.key_until_s)
        if upkeep.cosigner is not None:
            self._witnessed_age.set(upkeep.cosigner.age_s)
            self._diverged.set(upkeep.cosigner.alarm is not None)
        lag_s = upkeep.ship_lag_s(now_s)
        if lag_s is not None:
            self._ship_lag.set(lag_s)

    def delivered(self, finding: Finding) -> None:
        """Count a reconciled delivery."""
        self._found[finding].inc()
        if finding.is_violation:
            self.violations.inc()
