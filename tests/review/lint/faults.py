"""One planted fault for each check: what is changed in the clean policy, and what must be found, where and how mended.

`§` marks the place at which the finding must be reported.
"""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Geo:
    """A geolocation database, as far as the linter looks at it."""

    build_epoch: int
    database_type: str = "GeoIP2-City"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: `edits` of the clean policy, and words of the mend."""

    id: str
    edits: tuple[tuple[str, str], ...]
    mend: str
    today: date = date(2026, 11, 21)
    geo: Geo | None = None
    message: str = ""
    orders: str = ""
    """An override file beside the policy; the mark is in it then."""


_ACME = "match: {jwt.tenant: acme}"
_WALK_IN = "walk-in: {match: anonymous, class: personal, expects: [EEA, US]}"
_HOST = "walk-in: {match: anonymous, class: personal, expects: [EEA, US]}\n  shop: {"
_DUE = "until: 2027-06-01"
_GEOIP = "geoip: {tier: 2, unknown: deny, max_age_days: 45}"
_BUILT = 1_794_441_600  # 2026-11-12, nine days before
_NEWS = "news: {match: {jwt.tenant: news}, class: public, expects: [EEA, US]}"
_EEA = "      - {id: eea, to: EEA, basis: internal,"
_SERVED = "{id: served, to: SERVED, basis"

_DIGEST = "sha256:" + "a" * 64

_TESTS = (
    "tests:\n  - {name: a German customer, in: {tenant: acme, model: fraud, country: DE}, "
    "expect: {permitted: [eu-ams, eu-fra]}}\n"
)


def _one(id_: str, old: str, new: str, mend: str) -> Fault:
    return Fault(id_, ((old, new),), mend)


FAULTS = [
    # Coverage.
    _one(
        "empty-set",
        "walk-in: {match: anonymous, class: personal, expects: [EEA, US]}",
        "walk-in: {match: anonymous, class: personal, §expects: [EEA, US, BR]}",
        "out of 'expects'",
    ),
    Fault(
        "empty-set-later",
        (
            (
                "{id: us, to: {country: US, operator_not_in: US_CONCERN}, basis: internal,",
                "{id: us, to: {country: US, operator_not_in: US_CONCERN}, valid_until: 2027-03-01, basis: internal,",
            ),
            (_WALK_IN, "walk-in: {match: anonymous, class: personal, allow: [us-*], §expects: [US]}"),
        ),
        "see what ends then",
        message="from 2027-03-02 on",
    ),
    Fault(
        "empty-set-by-order",
        (
            ("permit: eu-gdpr.dpf, reason", "permit: us.us, reason"),
            (_WALK_IN, "walk-in: {match: anonymous, class: personal, allow: [us-*], §expects: [US]}"),
        ),
        "find another region",
        message="from 2026-12-01 on",
    ),
    Fault(
        "empty-set-declared",
        (
            ("class: {special: {only: [eea]}}", "class: {special: {only: []}}"),
            (_NEWS, "news: {match: {jwt.tenant: news}, class: public, §expects: [IS]}"),
            ("exporter: DE, mechanisms: {dpf: true}, expects: [EEA, US]}", "exporter: DE, mechanisms: {dpf: true}}"),
            (_WALK_IN, "walk-in: {match: anonymous, class: personal}"),
        ),
        "nothing, if it shall not",
        message="class special",
    ),
    _one("single-region", "allow: [ca-*], expects: [CA-QC]", "allow: [ca-mtl], §expects: [CA-QC]", "a second region"),
    _one(
        "drained-out",
        "conflict: {mode: intersect}",
        "conflict: {mode: intersect}\ndeployment: {pattern: active-active, §drain: [ca-mtl], weights: {ca-yqb: 0}}",
        "end the drain",
    ),
    Fault(
        "redirect-without-host",
        (
            (
                "edge: {trusted_hops: 1}}",
                "edge: {trusted_hops: 1}, on_mismatch: redirect, §redirect_hosts: {US: us.api.example}}",
            ),
        ),
        "add their hosts",
        message="CA-QC",
    ),
    _one(
        "tenant-without-expects", f"  {_NEWS}", "  §news: {match: {jwt.tenant: news}, class: public}", "add 'expects:'"
    ),
    # Law.
    _one(
        "regime-governs-nothing",
        "when: {subject_in: CA-QC, class_not: [public]}",
        "§when: {subject_in: CA-QC, class_not: [personal, public, special]}",
        "mend its 'when'",
    ),
    Fault(
        "regime-for-unregulated",
        (
            (
                "classes: [personal, public, special]",
                "classes: {personal: {}, public: {unregulated: true}, special: {}}",
            ),
            ("profile: hybrid", "profile: performance-first"),
            ("when: {subject_in: anywhere, class_in: public}", "§when: {subject_in: anywhere, class_in: public}"),
        ),
        "the mark 'unregulated'",
    ),
    _one(
        "permit-covers-nothing",
        "      - {id: ca, to: CA,",
        "      - §{id: chile, to: CL, basis: unrestricted, cite: none, as_of: 2026-09-01, confidence: low}\n"
        "      - {id: ca, to: CA,",
        "for regions to come",
    ),
    _one(
        "permit-shadowed",
        "      - {id: quebec, to: CA-QC,",
        "      - {id: wide, to: CA, basis: internal, cite: x, as_of: 2026-09-01, confidence: low}\n"
        "      - §{id: quebec, to: CA-QC,",
        "put it before them",
    ),
    _one(
        "class-rule-idle", "class: {special: {only: [eea]}}", "class: {§special: {only: [dpf, eea]}}", "remove the rule"
    ),
    Fault(
        "default-regime",
        (
            ("when: {subject_in: anywhere, class_in: public}", "when: {subject_in: anywhere}"),
            (_SERVED, "§{id: served, to: anywhere, basis"),
        ),
        "say for which places",
    ),
    Fault(
        "default-permit",
        (
            (
                "when: {subject_in: anywhere, class_in: public}",
                "when: {any: [{subject_in: BR}, {subject_in: anywhere, class_in: public}]}",
            ),
            (_SERVED, "§{id: served, to: anywhere, basis"),
        ),
        "name a zone",
    ),
    Fault(
        "obligation-for-all",
        (
            (
                "when: {subject_in: CA, class_not: [public]}\n",
                "when: {subject_in: CA}\n    obligations: [§{id: log, duty: keep a log, cite: s. 1}]\n",
            ),
        ),
        "add 'classes:'",
    ),
    _one(
        "regime-unverified",
        "  - id: quebec\n",
        "  - id: quebec\n    §verified: false\n    note: the new form\n",
        "have somebody verify it",
    ),
    # Transfers.
    _one(
        "transfer-without-mechanism",
        "      - id: dpf\n",
        "      - §{id: pdx, to: {country: US, cert: dpf}, basis: safeguards, cite: x, as_of: 2026-09-01, "
        "review_by: 2027-02-01, confidence: low}\n      - id: dpf\n",
        "add 'enabled_by:",
    ),
    _one(
        "transfer-anywhere", "        to: {country: US, cert: dpf}\n", "        §to: anywhere\n", "that were assessed"
    ),
    _one("transfer-by-derogation", "        basis: adequacy\n", "        §basis: derogation\n", "find another basis"),
    _one("transfer-in-legal-first", "profile: hybrid", "§profile: legal-first", "nothing, if that is meant"),
    _one(
        "mechanism-undeclared",
        "enabled_by: tenant.mechanisms.dpf\n",
        "enabled_by: tenant.mechanisms.dpf\n"
        "      - {id: scc, to: US, basis: safeguards, cite: x, as_of: 2026-09-01, review_by: 2027-02-01, "
        "confidence: low, §enabled_by: tenant.mechanisms.scc}\n",
        "declare it for a tenant",
    ),
    _one(
        "mechanism-unused",
        "allow: [ca-*], expects: [CA-QC]",
        "allow: [ca-*], mechanisms: {§dpf: true}, expects: [CA-QC]",
        "the permit that it was meant for",
    ),
    # What lets unauthenticated input widen.
    _one(
        "unverified-tenant-transfers",
        "walk-in: {match: anonymous, class: personal,",
        "walk-in: {match: anonymous, class: personal, §mechanisms: {dpf: true},",
        "remove the mechanisms",
    ),
    Fault(
        "unverified-tenant-unregulated",
        (
            (
                "classes: [personal, public, special]",
                "classes: {personal: {}, public: {unregulated: true}, special: {}}",
            ),
            ("profile: hybrid", "profile: performance-first"),
            ("walk-in: {match: anonymous, class: personal", "walk-in: {match: anonymous, §class: public"),
        ),
        "a class that regimes govern",
    ),
    _one(
        "host-widens",
        _WALK_IN,
        f"{_HOST}§match: {{host: shop.example}}, class: public, expects: [EEA, US]}}",
        "as the anonymous tenant",
    ),
    _one("unknown-assumed", "unknown: deny", "§unknown: {assume: [DE]}", "unknown: deny"),
    _one("anonymous-located", "unknown: deny,", "unknown: deny, §anonymous: locate,", "anonymous: unknown"),
    _one("prefers-verified", "{mode: intersect}", "{§mode: prefer_verified}", "answers for their claims"),
    _one("signal-replaced", "claim: residency}", "claim: residency, §may_replace: [geoip]}", "answers for it"),
    Fault(
        "performance-first",
        (
            (
                "classes: [personal, public, special]",
                "classes: {personal: {}, public: {unregulated: true}, special: {}}",
            ),
            ("profile: hybrid", "§profile: performance-first"),
        ),
        "choose the profile hybrid",
        message="it is the class of news",
    ),
    _one("performance-first-idle", "profile: hybrid", "§profile: performance-first", "write 'profile: hybrid'"),
    Fault(
        "class-only-declared",
        (
            ("  class:\n    header", "  §class:\n    header"),
            ("unreadable: special, detectors: {iban: special}", "unreadable: personal, detectors: {iban: personal}"),
        ),
        "with 'body:'",
        message="class special",
    ),
    Fault(
        "class-unused",
        (
            ("classes: [personal, public, special]", "classes: [personal, public, special, §health]"),
            ("    header: x-data-class\n", ""),
        ),
        "what tells it",
    ),
    # Days.
    Fault(
        "policy-review-overdue",
        (("review_by: 2027-02-21", "§review_by: 2027-02-21"),),
        "write the next day",
        today=date(2027, 2, 22),
    ),
    Fault(
        "policy-review-due",
        (("review_by: 2027-02-21", "§review_by: 2027-02-21"),),
        "write the next day",
        today=date(2027, 2, 21),
    ),
    Fault("policy-not-yet", (("as_of: 2026-11-21", "§as_of: 2026-11-21"),), "and not before", today=date(2026, 11, 20)),
    Fault(
        "permit-review-overdue",
        (("review_by: 2027-02-01", "§review_by: 2027-02-01"),),
        "write the next day",
        today=date(2027, 2, 2),
        message="appeal pending",
    ),
    Fault(
        "permit-review-due",
        (("review_by: 2027-02-01", "§review_by: 2027-02-01"),),
        "write the next day",
        today=date(2027, 1, 2),
    ),
    _one(
        "permit-expired",
        _EEA,
        "      - {id: old, to: EEA, §valid_until: 2026-11-20, basis: internal, cite: x, as_of: 2026-09-01, "
        f"confidence: low}}\n{_EEA}",
        "remove the permit",
    ),
    _one(
        "permit-due",
        _EEA,
        "      - {id: old, to: EEA, §valid_until: 2026-12-21, basis: internal, cite: x, as_of: 2026-09-01, "
        f"confidence: low}}\n{_EEA}",
        "is prolonged",
    ),
    _one(
        "permit-not-yet",
        _EEA,
        "      - {id: new, to: EEA, §valid_from: 2026-11-22, basis: internal, cite: x, as_of: 2026-09-01, "
        f"confidence: low}}\n{_EEA}",
        "nothing, if that is meant",
    ),
    _one(
        "permit-unchecked",
        "cite: PIPEDA, as_of: 2026-09-01",
        "cite: PIPEDA, §as_of: 2025-11-20",
        "hold them against their source",
    ),
    _one(
        "permit-without-as-of",
        "      - {id: ca, to: CA, basis: internal, cite: PIPEDA, as_of: 2026-09-01,",
        "      - §{id: ca, to: CA, basis: internal, cite: PIPEDA,",
        "add 'as_of:'",
    ),
    Fault(
        "permit-without-review-by",
        (("        review_by: 2027-02-01\n", ""), ("- id: dpf", "- §id: dpf")),
        "add 'review_by:'",
    ),
    _one(
        "permit-without-confidence",
        "      - {id: ca, to: CA, basis: internal, cite: PIPEDA, as_of: 2026-09-01, confidence: high}",
        "      - §{id: ca, to: CA, basis: internal, cite: PIPEDA, as_of: 2026-09-01}",
        "add 'confidence:",
    ),
    # Orders.
    _one(
        "override-without-end",
        f"  - {{id: LT-1, effect: suspend, permit: eu-gdpr.dpf, reason: review, from: 2026-12-01, {_DUE},",
        "  - §{id: LT-1, effect: suspend, permit: eu-gdpr.dpf, reason: review, from: 2026-12-01,",
        "add 'until:'",
    ),
    _one("override-one-approver", "approved_by: [a, b]", "§approved_by: [a]", "a second person"),
    Fault("override-ended", ((_DUE, f"§{_DUE}"),), "remove it", today=date(2027, 6, 2)),
    Fault("override-due", ((_DUE, f"§{_DUE}"),), "the new end", today=date(2027, 6, 1)),
    Fault(
        "override-meets-nothing",
        (),
        "name one of ca-mtl",
        orders="apiVersion: situs/v1\noverrides:\n  - {id: LT-2, effect: suspend, §region: us-idd, reason: x, "
        "from: 2026-11-01, until: 2027-06-01, approved_by: [a, b]}\n",
    ),
    # Tenants.
    _one("tenant-unmatchable", _ACME, "§match: {spiffe: 'spiffe://acme.example'}", "spiffe://example.org/ns/ml/*"),
    Fault(
        "tenant-without-place",
        ((f"  {_GEOIP}\n", ""), ("walk-in: {match: anonymous", "walk-in: {§match: anonymous")),
        "add 'geoip:'",
    ),
    Fault(
        "tenant-without-model",
        (
            ("  us-pdx:", "  us-edge: {country: US, operator: {name: X, hq: US}, models: {}}\n  us-pdx:"),
            ("allow: [ca-*]", "§allow: [us-edge]"),
        ),
        "allow a region that serves one",
    ),
    _one("bindings-compete", "match: {jwt.tenant: news}", "§match: {jwt.org: news}", "by one of them"),
    _one("exporter-ungoverned", "exporter: DE", "§exporter: BR", "add 'exporter_in: BR'"),
    # Regions and models.
    Fault(
        "region-in-no-zone",
        (
            ("  us-iad:", '  sg-sin: {§country: SG, models: {digits: {version: "1"}}}\n  us-iad:'),
            (_SERVED, "{id: served, to: anywhere, basis"),
        ),
        "add SG to the zones",
    ),
    _one(
        "region-without-subdivision",
        "ca-yqb: {country: CA, subdivision: CA-QC,",
        "ca-yqb: {§country: CA,",
        "add 'subdivision:'",
    ),
    _one(
        "region-without-operator",
        "  us-pdx: {country: US, certs: [dpf], operator: {name: Two, hq: US},",
        "  §us-pdx: {country: US, certs: [dpf],",
        "add 'operator:",
    ),
    Fault(
        "region-never-permitted",
        (
            ("  us-iad:", '  §sg-sin: {country: SG, models: {digits: {version: "1"}}}\n  us-iad:'),
            ("[CA, DE, NL, US]\n", "[CA, DE, NL, US]\n  NEXT: [SG]\n"),
        ),
        "what excludes it",
    ),
    _one(
        "region-serves-nothing",
        "  us-iad:",
        "  us-edge: {country: US, operator: {name: X, hq: US}, §models: {}}\n  us-iad:",
        "only receives requests",
    ),
    _one(
        "quota-below-capacity",
        "ca-yqb: {country: CA,",
        "ca-yqb: {capacity: 100, §quota: 99, country: CA,",
        "for one sidecar",
    ),
    _one(
        "slo-below-rtt",
        "ca-yqb: {country: CA,",
        "ca-yqb: {rtt_ms: 80.5, §slo_ms: 80.5, country: CA,",
        "mend 'rtt_ms'",
    ),
    _one("model-resident-nowhere", "fraud: {resident_in: EEA,", "fraud: {§resident_in: US,", "approve a region inside"),
    _one(
        "model-approved-outside",
        "operator: {name: Two, hq: US}, models: {",
        'operator: {name: Two, hq: US}, models: {§fraud: {version: "3"}, ',
        "remove the approval",
    ),
    Fault(
        "model-never-permitted",
        (
            ("  us-iad:", "  sg-sin: {country: SG, models: {§scorer: {}}}\n  us-iad:"),
            ("[CA, DE, NL, US]\n", "[CA, DE, NL, US]\n  NEXT: [SG]\n"),
        ),
        "that a law permits",
    ),
    _one(
        "model-versions-differ",
        'operator: {name: Two, hq: US}, models: {digits: {version: "1"}}',
        'operator: {name: Two, hq: US}, models: {§digits: {version: "2"}}',
        "one version everywhere",
    ),
    _one(
        "digest-without-version",
        'operator: {name: Two, hq: US}, models: {digits: {version: "1"}}',
        f'operator: {{name: Two, hq: US}}, models: {{digits: {{§digest: "{_DIGEST}"}}}}',
        "add 'version:'",
    ),
    Fault(
        "model-digests-differ",
        (
            (
                'operator: {name: One, hq: US}, models: {digits: {version: "1"}}',
                f'operator: {{name: One, hq: US}}, models: {{digits: {{version: "1", digest: "{_DIGEST}"}}}}',
            ),
            (
                'operator: {name: Two, hq: US}, models: {digits: {version: "1"}}',
                f'operator: {{name: Two, hq: US}}, models: {{digits: {{version: "1", §digest: "{_DIGEST[:-1]}b"}}}}',
            ),
        ),
        "built for different machines",
        message="of digits version 1 differ: sha256:aaaaaaaaaaaa… in us-iad; sha256:aaaaaaaaaaaa… in us-pdx",
    ),
    # Places.
    _one(
        "zone-differs-from-builtin",
        "  US_CONCERN: builtin",
        "  §US_CONCERN: [CN, HK, MO, CU, IR, KP, RU, SY]",
        "US_CONCERN: builtin",
    ),
    _one(
        "zone-copied", "  US_CONCERN: builtin", "  §US_CONCERN: [CN, HK, MO, CU, IR, KP, RU, VE]", "US_CONCERN: builtin"
    ),
    _one(
        "zone-member-expired",
        "SERVED: [CA, DE, NL, US]",
        "SERVED: [CA, DE, NL, US, §{country: GB, valid_until: 2026-11-20}]",
        "remove it",
    ),
    _one(
        "zone-member-due",
        "SERVED: [CA, DE, NL, US]",
        "SERVED: [CA, DE, NL, US, §{country: GB, valid_until: 2026-11-21}]",
        "is prolonged",
    ),
    _one(
        "zone-member-not-yet",
        "SERVED: [CA, DE, NL, US]",
        "SERVED: [CA, DE, NL, US, §{country: GB, valid_from: 2027-01-01}]",
        "nothing, if that is meant",
    ),
    _one("zone-unused", "  US_CONCERN: builtin", "  US_CONCERN: builtin\n  §NEXT: [SG]", "or use it"),
    _one("unknown-subdivision", "expects: [CA-QC]", "expects: [CA-QC, §CA-QU]", "CA-QC"),
    # Deployment, geolocation, tests.
    _one(
        "shard-shadowed",
        "conflict: {mode: intersect}",
        "conflict: {mode: intersect}\ndeployment:\n  pattern: regional-sharding\n  shards:\n"
        "    - {subjects: anywhere, region: eu-fra}\n    - §{subjects: US, region: us-iad}",
        "before the wider ones",
    ),
    _one(
        "pattern-idle",
        "conflict: {mode: intersect}",
        "conflict: {mode: intersect}\ndeployment: {§pattern: active-passive, active: ['*']}",
        "write active-active",
    ),
    _one(
        "plan-without-fallback",
        "conflict: {mode: intersect}",
        "conflict: {mode: intersect}\nplan: {§length: 1}",
        "plan: {length: 2}",
    ),
    _one(
        "sealed-without-subject",
        "conflict: {mode: intersect}",
        "conflict: {mode: intersect}\nevidence: {§sealed: [address, request_id]}",
        "add 'subject: {claim: sub}'",
    ),
    _one(
        "durability-idle",
        "conflict: {mode: intersect}",
        "conflict: {mode: intersect}\nevidence: {durability: {default: fsync, models: {§fraud: page}}}",
        "remove the entry",
    ),
    Fault(
        "geo-database-old",
        ((f"  {_GEOIP}", f"  §{_GEOIP}"),),
        "fetch the current release",
        today=date(2026, 12, 21),
        geo=Geo(_BUILT),
        message="39 days ago",
    ),
    Fault(
        "geo-database-useless",
        (("max_age_days: 45", "§max_age_days: 45"),),
        "fetch the current release",
        today=date(2026, 12, 28),
        geo=Geo(_BUILT),
    ),
    Fault(
        "geo-without-subdivisions",
        (("when: {subject_in: CA-QC,", "§when: {subject_in: CA-QC,"),),
        "write the regime",
        geo=Geo(_BUILT, "GeoLite2-Country"),
    ),
    _one("geo-without-max-age", f"  {_GEOIP}", "  §geoip: {tier: 2, unknown: deny}", "add 'max_age_days"),
    Fault(
        "policy-without-tests",
        (
            (
                _TESTS,
                "",
            ),
            ("policy: {id: clean", "§policy: {id: clean"),
        ),
        "add 'tests:'",
    ),
]
