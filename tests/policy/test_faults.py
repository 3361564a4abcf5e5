"""Planted faults: each is found at its place, is reported with its mend, and brings no other report."""

from pathlib import Path

import pytest

from extproc.policy import PolicyDocument, load_policy, parse_policy
from extproc.strict_yaml import DocumentError

FULL = (Path(__file__).parent / "full.yaml").read_text()

INGRESS = next(line for line in FULL.split("\n") if line.startswith("ingress: ")).removeprefix("ingress: ")
CLASSES = "{public: {unregulated: true}, personal: {}, special: {unregulated: false}}"
CLASSED = FULL[FULL.index("  class:\n    header: x-data-class") : FULL.index("conflict:")]
SHARED = next(line for line in FULL.split("\n") if line.startswith("deployment: ")).removeprefix("deployment: ")
DIGEST = "sha256:" + "0123456789abcdef" * 4
GEOIP = next(line for line in FULL.split("\n") if line.startswith("  geoip: ")) + "\n"

# What is replaced in full.yaml, by what (`§` marks where the fault must be reported), words of the message, and words
# of the mend.
FAULTS = [
    # The document and its identity.
    ("apiVersion: situs/v1", "apiVersion: §situs/v2", "not a version", "write situs/v1"),
    ("apiVersion: situs/v1", "§apiversion: situs/v1", "unknown field 'apiversion'", "did you mean 'apiVersion'"),
    ("plan: {length: 3}", "plan: {length: §4}", "4 is more than 3", "3 or less"),
    ("plan: {length: 3}", "plan: {length: §0}", "0 is less than 1", "1 or more"),
    ("plan: {length: 3}", "plan: {§len: 3, length: 3}", "unknown field 'len'", "did you mean 'length'"),
    ("plan: {length: 3}", "plan: {length: 3}\n§plan: {length: 2}", "already given at line 109", "keep one"),
    ("plan: {length: 3}", "plan: {length: §three}", "expected a whole number", "write a whole number"),
    ("plan: {length: 3}", "plan: {length: §03}", "'03' is not a plain whole number", "leading zeros"),
    ("plan: {length: 3}", "§profile: legal-first", "unknown field 'profile'", "the fields here are apiVersion, policy"),
    ("conflict: {mode: deny}", "conflict: {mode: §den}", "'den' is none of", "did you mean 'deny'"),
    ("conflict: {mode: deny}", "conflict: §{}", "'mode' is missing", "add 'mode:'"),
    ("version: 7", "version: §0", "0 is less than 1", "1 or more"),
    ("version: 7", 'version: §"7"', "expected a whole number, not '7'", "write a whole number"),
    ("version: 7", "version: §", "the value is empty", "or remove the field"),
    ("id: acme-prod", "id: §acme prod", "not a usable name", "letters, digits"),
    ("id: acme-prod", "id: §3", "expected text, and 3 is a whole number", 'in quotes: "3"'),
    ("as_of: 2026-01-10", "as_of: §2026-1-10", "is not a day", "YYYY-MM-DD"),
    ("as_of: 2026-01-10", "as_of: §2026-02-29", "does not exist", "check the month"),
    ("as_of: 2026-01-10", "as_of: §0026-01-10", "year 26 is out of range", "write a year from 1971"),
    ("review_by: 2027-02-21", "review_by: §2025-02-21", "is before as_of", "exchange the two"),
    ("profile: performance-first}", "profile: §speed-first}", "'speed-first' is none of legal-first", "write one of"),
    (
        "policy: {id: acme-prod, version: 7, as_of: 2026-01-10, review_by: 2027-02-21, profile: performance-first}",
        "policy: §{id: acme-prod, version: 7, as_of: 2026-01-10, review_by: 2027-02-21}",
        "the field 'profile' is missing",
        "add 'profile:'",
    ),
    # Ingress.
    ("region: eu-fra, edge", "region: §eu-fr, edge", "'eu-fr' is no region", "did you mean 'eu-fra'"),
    ("edge: {trusted_hops: 1}", "edge: {trusted_hops: §0}", "0 is less than 1", "1 or more"),
    ("edge: {trusted_hops: 1}", "edge: §indirect", "neither direct nor", "write direct"),
    ("ingress: {region: eu-fra, edge: {trusted_hops: 1},", "ingress: §{region: eu-fra,", "'edge' is missing", "add"),
    ("on_mismatch: redirect", "on_mismatch: §deny", "'deny' is none of observe, redirect, refuse", "write one of"),
    (INGRESS, f"§{INGRESS}".replace(", redirect_hosts: {EEA: eu.example, CA: ca.example}", ""), "no host", "or refuse"),
    (INGRESS, f"§{INGRESS}".replace("on_mismatch: redirect, ", ""), "clients are not redirected", "or remove them"),
    (INGRESS, f"§{INGRESS}".replace("redirect,", "refuse,"), "clients are not redirected", "on_mismatch: redirect"),
    (
        "redirect_hosts: {EEA: eu.example, CA: ca.example}",
        "redirect_hosts: §{}",
        "has 0 entries",
        "add what is missing",
    ),
    ("CA: ca.example}", "CA: §ca.example:443}", "not a usable name", "without a port"),
    ("CA: ca.example}", "CA: §Ca.example}", "not a usable name", "in lower case"),
    ("CA: ca.example}", "§UK: ca.example}", "'UK' is neither", "write GB"),
    ("CA: ca.example}", "§EAA: ca.example}", "'EAA' is neither a zone", "did you mean 'EEA'"),
    ("CA: ca.example}", "CA: ca.example, §EEA: x.example}", "the key 'EEA' was already given at line 3", "keep one"),
    # Evidence.
    ("default: page,", "default: §observe,", "observe may lose records", "observe under 'classes:'"),
    ("default: page,", "default: §disk,", "'disk' is none of fsync, page, observe", "write one of"),
    ("special: fsync}", "special: §observe}", "the class 'special' is regulated, and observe", "'unregulated: true'"),
    (
        "default: page, classes: {special: fsync}",
        "default: fsync, classes: {special: §page}",
        "so the default fsync counts for it all the same",
        "remove this entry",
    ),
    ("special: fsync}", "§secret: fsync}", "'secret' is no class", "the classes are"),
    ("{fraud: fsync}", "{fraud: §observe}", "only an unregulated class", "page or fsync here"),
    ("{fraud: fsync}", "{§frauds: fsync}", "'frauds' is no model", "did you mean 'fraud'"),
    ("subject: {claim: sub}", "subject: {claim: §s b}", "not a usable name", "letters, digits"),
    ("  subject: {claim: sub}\n  sealed: [subject,", "  sealed: [§subject,", "no claim says who", "{claim: sub}"),
    ("[subject, request_id, address]", "[subject, §request, address]", "'request' is none of", "did you mean"),
    ("[subject, request_id, address]", "§[]", "has 0 items and needs 1", "add what is missing"),
    # Classes and zones.
    (CLASSES, "[public, personal, special, §public]", "listed twice", "keep one"),
    ("public: {unregulated: true}", "public: {unregulated: §yes}", "expected true or false", "write true or false"),
    ("public: {unregulated: true}", "public: {§regulated: true}", "unknown field", "did you mean 'unregulated'"),
    ("public: {unregulated: true}", "public: §", "the value is empty", "or remove the field"),
    (CLASSES, "§{}", "has 0 entries and needs 1", "add what is missing"),
    ("personal: {}, ", "§personal data: {}, personal: {}, ", "not a usable name", "letters, digits"),
    ("EEA: builtin", "EEA: §builtins", "neither builtin nor a list", "write builtin"),
    ("EEA: builtin", "EEA: builtin\n  EAA: §builtin", "no zone 'EAA' is built in", "did you mean 'EEA'"),
    ("EEA: builtin", "EEA: builtin\n  §FR: [FR]", "already has a meaning", "FR_ZONE"),
    ("EEA: builtin", "EEA: builtin\n  §UK: [GB]", "already has a meaning", "UK_ZONE"),
    ("EEA: builtin", "EEA: builtin\n  §anywhere: [FR]", "already has a meaning", "call the zone something else"),
    ("    - CH", "    - §EL", "'EL' is neither", "write GR"),
    ("    - CH", "    - §UK", "'UK' is neither", "write GB"),
    ("    - CH", "    - §ch", "'ch' is neither", "write CH"),
    ("    - CH", "    - §XX", "'XX' is neither", "ISO 3166-1 such as DE"),
    ("    - CH", "    - §BR", "BR is listed twice", "keep one"),
    ("    - CH", "    - §null", "the value is empty", "or remove"),
    ("{country: BR, cite", "{country: §BRA, cite", "'BRA' is not an assigned", "such as DE"),
    ("{subdivision: CA-QC}]", "§{cite: x}]", "one country or one subdivision", "write 'country: BR'"),
    ("{subdivision: CA-QC}]", "{subdivision: §CA}]", "'CA' is a country", "or use 'country'"),
    ("valid_until: 2027-12-27", "valid_from: 2028-01-01, valid_until: §2027-12-27", "is before valid_from", "exchange"),
    # Regions.
    ("  br-gru: {country: BR", "  br-gru: {country: §UK", "'UK' is not an assigned", "write GB"),
    ("  br-gru: {country: BR", "  §br>gru: {country: BR", "not a usable name", "lower-case letters"),
    ("  br-gru: {country: BR", "  §situs_x: {country: BR", "Situs's own clusters", "does not start with situs_"),
    ("subdivision: DE-HE", "subdivision: §FR-IDF", "FR-IDF is not inside DE", "a subdivision of DE"),
    ("outbound|443||eu-ams.example", "§a>b", "not a usable name", "letter or digit"),
    (
        "    country: NL\n    cluster: outbound|443||eu-ams.example",
        "    §country: NL\n    cluster: eu-fra",
        "share the cluster 'eu-fra'",
        "of its own",
    ),
    ("rtt_ms: 80.5", "rtt_ms: §-1", "-1 is less than 0", "0 or more"),
    ("rtt_ms: 80.5", "rtt_ms: §.inf", "not a plain number", "write it like 8"),
    ("rtt_ms: 80.5", "rtt_ms: §80ms", "expected a number, not '80ms'", "write a number"),
    ('version: "1", d', "version: §1, d", "expected text, and 1 is a whole number", 'in quotes: "1"'),
    ("{digits: {}, fraud: {}}", "{digits: {}, fraud: §}", "entry is empty", "write {} for any version"),
    ("  br-gru: {country: BR, models: {}}", "  br-gru: §{country: BR}", "'models' is missing", "add 'models:'"),
    ("  br-gru: {country: BR, models", "  br-gru: {§contry: DE, country: BR, models", "unknown", "mean 'country'"),
    ("hq: CA}", "hq: §UK}", "'UK' is not an assigned", "write GB"),
    ("hq: CA}", "hq: §CA-QC}", "'CA-QC' is not an assigned", "write CA"),
    ("operator: {name: Y Inc., hq: CA}", "operator: §{name: Y Inc.}", "'hq' is missing", "add 'hq:'"),
    ("operator: {name: Y Inc., hq: CA}", "operator: §{hq: CA}", "'name' is missing", "add 'name:'"),
    ("operator: {name: Y Inc., hq: CA}", "operator: §Y Inc.", "expected a table", "write"),
    ("admin_from: [DE, PL]", "admin_from: §[]", "has 0 items and needs 1", "add what is missing"),
    ("admin_from: [DE, PL]", "admin_from: [DE, §EEA]", "'EEA' is not an assigned", "ISO 3166-1 such as DE"),
    ("capacity: 64", "capacity: §0", "0 is less than 1", "1 or more"),
    ("capacity: 64", "capacity: §1000001", "is more than 1e+06", "or less"),
    ("capacity: 64", "capacity: §1.5", "expected a whole number", "write a whole number"),
    ("quota: 200", "quota: §0", "0 is less than 1", "1 or more"),
    ("quota: 200", "quota: §1000001", "is more than 1e+06", "or less"),
    ("    slo_ms: 300", "    slo_ms: §0", "0 is less than 1", "1 or more"),
    ("    slo_ms: 300", "    slo_ms: §600001", "is more than 600000", "600000 or less"),
    ("slo_ms: 250}", "slo_ms: §250ms}", "expected a number, not '250ms'", "write a number"),
    (f'"{DIGEST}"', f"§{DIGEST[:-1]}", "is no digest", "sha256: and 64 hex digits"),
    (f'"{DIGEST}"', f"§{DIGEST.upper()}", "is no digest", "in lower case"),
    (f'"{DIGEST}"', f"§{DIGEST.removeprefix('sha256:')}", "is no digest", "write sha256:"),
    ("{vectors: {max_age_s: 300},", "{§vec tors: {max_age_s: 300},", "not a usable name", "letters, digits"),
    ("{vectors: {max_age_s: 300},", "{vectors: §{},", "'max_age_s' is missing", "add 'max_age_s:'"),
    ("{vectors: {max_age_s: 300},", "{vectors: §300,", "expected a table", "write"),
    ("{vectors: {max_age_s: 300},", "{vectors: {max_age_s: §0.5},", "0.5 is less than 1", "1 or more"),
    ("{vectors: {max_age_s: 300},", "{vectors: {max_age_s: §31536001},", "is more than", "or less"),
    ("needs: {vectors: {max_age_s: 300}, features: {max_age_s: 2.5}}", "needs: §{}", "has 0 entries", "add what"),
    ("recovery: {rto_s: 2, rpo_records: 5}", "recovery: §{rpo_records: 5}", "'rto_s' is missing", "add 'rto_s:'"),
    ("rto_s: 2,", "rto_s: §0,", "0 is less than 0.001", "0.001 or more"),
    ("rto_s: 2,", "rto_s: §86401,", "is more than 86400", "or less"),
    ("rpo_records: 5", "rpo_records: §-1", "-1 is less than 0", "0 or more"),
    ("rpo_records: 5", "rpo_records: §0.5", "expected a whole number", "write a whole number"),
    # Models.
    ("  fraud: {resident_in", "  §fraudd: {resident_in", "'fraudd' is no model", "did you mean 'fraud'"),
    ("resident_in: EEA", "resident_in: §EAA", "'EAA' is neither a zone", "did you mean 'EEA'"),
    ("fraud: {resident_in: EEA, cite: licence 4, ", "fraud: §{resident_in: EEA, ", "by what", "add 'cite:'"),
    ("class: special}\nregimes", "class: §specials}\nregimes", "'specials' is no class", "did you mean 'special'"),
    # Regimes.
    ("id: quebec", "id: §eu-gdpr", "the regime id 'eu-gdpr' is used twice", "an id of its own"),
    ("any: [{subject_in: EEA}", "any: [{subject_in: §EAA}", "'EAA' is neither a zone", "did you mean 'EEA'"),
    ("any: [{subject_in: EEA}", "any: [{subject_in: §EU}", "'EU' is neither", "'EEA: builtin'"),
    ("any: [{subject_in: EEA}", "any: [{§subjects_in: EEA, subject_in: EEA}", "unknown", "did you mean 'subject_in'"),
    ("when: {subject_in: anywhere, class_in: public}", "when: §{}", "no condition is given", "'subject_in: anywhere'"),
    ("when: {subject_in: anywhere, class_in: public}", "when: {any: §[]}", "has 0 items and needs 1", "add what is"),
    ("class_in: public}", "class_in: §publik}", "'publik' is no class", "did you mean 'public'"),
    ("class_not: [public]", "class_not: §{}", "expected text, not a table", "write text"),
    ("to: ADEQUATE", "to: [CH, §adequat]", "neither a zone", "did you mean 'ADEQUATE'"),
    ("to: ADEQUATE", "to: {zone: §BR}", "'BR' is no zone", "the zones are ADEQUATE, EEA, QUEBEC"),
    ("to: {country: US, cert", "to: §{cert", "names no place", "'in: anywhere'"),
    ("to: {country: US, cert", "to: {country: §UK, cert", "'UK' is not an assigned", "write GB"),
    ("not_in: CA-QC}", "not_in: §CA-qc}", "'CA-qc' is neither", "write CA-QC"),
    ("not_in: CA-QC}", "not_in: §[]}", "has 0 items and needs 1", "add what is missing"),
    ("to: {in: anywhere, not_in: CA-QC}", "to: §{not_in: CA-QC}", "names no place", "'in: anywhere'"),
    ("operator_in: CA}", "operator_in: §CAN}", "'CAN' is neither a zone", "the zones are ADEQUATE, EEA, QUEBEC"),
    ("operator_not_in: [CN, RU]", "operator_not_in: [CN, §UK]", "'UK' is neither", "write GB"),
    ("as_of: 2025-12-01}", "as_of: §yesterday}", "is not a day", "YYYY-MM-DD"),
    ("tenant_has_not: [adgm]", "tenant_has_not: §[]", "has 0 items and needs 1", "add what is missing"),
    ("tenant_has_not: [adgm]", "tenant_has_not: [§ad gm]", "not a usable name", "letters, digits"),
    ("verified: false", "verified: §no", "expected true or false", "write true or false"),
    ("note: Law 25 in full since 2024", "note: §''", "the text is empty", "or remove the field"),
    ("{id: records, duty: keep records of processing,", "§{id: records,", "'duty' is missing", "add 'duty:'"),
    ("{id: records, duty: keep records of processing, cite: Art. 30,", "§{id: records, duty: keep,", "'cite'", "add"),
    ("classes: [personal]}", "classes: [§personnel]}", "'personnel' is no class", "did you mean 'personal'"),
    ("classes: [personal]}", "classes: §[]}", "has 0 items and needs 1", "add what is missing"),
    (
        "classes: [personal]}\n",
        "classes: [personal]}\n      - {id: §records, duty: again, cite: Art. 30}\n",
        "the obligation id 'records' is used twice",
        "an id of its own",
    ),
    (
        "    obligations:\n      - {id: records, duty: keep records of processing, cite: Art. 30, classes: [personal]}",
        "    obligations: §[]",
        "has 0 items and needs 1",
        "add what is missing",
    ),
    ("to: EEA, basis: internal", "to: EEA, basis: §intern", "'intern' is none of", "did you mean 'internal'"),
    ("{id: eea, to: EEA, basis: internal,", "§{id: eea, to: EEA,", "'basis' is missing", "add 'basis:'"),
    (
        "{id: all, to: anywhere, basis: unrestricted, cite: operator}",
        "§{id: all, to: EEA, basis: internal}",
        "the field 'cite' is missing",
        "add 'cite:'",
    ),
    ("cite: operator", "cite: §'  '", "the text is empty", "write a text"),
    ("cite: operator", 'cite: §"a\\u202eb"', "invisible character U+202E", "remove it"),
    ("id: adequate,", "id: §eea,", "the permit id 'eea' is used twice", "an id of its own"),
    ("valid_until: 2026-12-31", "valid_until: §2026-01-31", "is before valid_from", "exchange the two days"),
    ("confidence: high", "confidence: §hig", "'hig' is none of high, medium, low", "did you mean 'high'"),
    ("enabled_by: tenant.mechanisms.dpf", "enabled_by: §dpf", "names no mechanism", "write tenant.mechanisms.NAME"),
    ("only: [eea]", "only: [eea, §eeaa]", "'eeaa' is no permit", "did you mean 'eea'"),
    ("class: {special: {only", "class: {§secial: {only", "'secial' is no class", "did you mean 'special'"),
    # Tenants.
    ("match: {jwt.tenant: clinic}", "match: §{jwt.tenant: acme}", "match the same requests", "a match of its own"),
    (
        "{match: anonymous, class: p",
        "{match: §{jwt.tenant: clinic}, class: p",
        "match the same",
        "one tenant at most is anonymous",
    ),
    ("match: {jwt.tenant: clinic}", "match: §{}", "names one thing, and 0 are given", "write {jwt.CLAIM: VALUE}"),
    ("match: {jwt.tenant: clinic}", "match: §all", "neither a claim nor anonymous", "write {jwt.CLAIM: VALUE}"),
    ("match: {jwt.tenant: clinic}", "match: {§tenant: clinic}", "'tenant' binds to no tenant", "{spiffe: ID}"),
    (
        "match: {host: shop.example}",
        "match: §{host: shop.example, jwt.tenant: shop}",
        "names one thing, and 2 are given",
        "or anonymous",
    ),
    ("{host: shop.example}", "{host: §shop.example:80}", "not a usable name", "without a port"),
    ("{host: shop.example}", "{host: §Shop.example}", "not a usable name", "in lower case"),
    ("{host: shop.example}", "{host: §-shop.example}", "not a usable name", "a host name"),
    ("{host: shop.example}", '{host: §"*.example"}', "not a usable name", "a host name"),
    ('"spiffe://acme.example/ns/ml/*"', "§http://acme.example/ns", "not a usable name", "spiffe://example.org"),
    ('"spiffe://acme.example/ns/ml/*"', '§"spiffe://acme.example/*/ml"', "not a usable name", "for all below"),
    ('"spiffe://acme.example/ns/ml/*"', '§"spiffe://acme.example/ns/"', "not a usable name", "spiffe://example.org"),
    ('"spiffe://acme.example/ns/ml/*"', f'§"spiffe://a/{"b" * 2048}"', "longer than 2048 bytes", "shorten it"),
    (
        "match: {host: shop.example}",
        'match: §{spiffe: "spiffe://acme.example/ns/ml/*"}',
        "match the same requests",
        "a match of its own",
    ),
    ("match: {jwt.tenant: clinic}, class: special}", "match: {jwt.tenant: clinic}, class: §specials}", "is no", "mean"),
    ("subjects: FR", "subjects: §EL", "'EL' is neither", "write GR"),
    (
        "{match: anonymous, class: personal}",
        "{match: anonymous, class: personal, subjects: §DE}",
        "is worth nothing",
        "by a claim or a SPIFFE id",
    ),
    (
        "{match: {host: shop.example}, class: personal}",
        "{match: {host: shop.example}, class: personal, subjects: §DE}",
        "is worth nothing",
        "remove 'subjects'",
    ),
    ("attributes: [difc]", "attributes: [§dfc]", "no condition asks for the attribute 'dfc'", "did you mean 'difc'"),
    ("attributes: [difc]", "attributes: §[]", "has 0 items and needs 1", "add what is missing"),
    ("expects: [EEA, US]", "expects: [EEA, §UK]", "'UK' is neither", "write GB"),
    ("expects: [EEA, US]", "expects: §[]", "has 0 items and needs 1", "add what is missing"),
    ("exporter: DE", "exporter: §EL", "'EL' is neither", "write GR"),
    ("allow: [eu-*]", "allow: [§ap-*]", "matches no region", "the regions are br-gru, ca-mtl"),
    ("allow: [eu-*]", "allow: §[]", "has 0 items and needs 1", "add what is missing"),
    ("mechanisms: {dpf: {reference: DPF-1}}", "mechanisms: {§dfp: true}", "no permit is enabled", "did you mean 'dpf'"),
    ("mechanisms: {dpf: {reference: DPF-1}}", "mechanisms: {dpf: §false}", "off unless", "remove this line"),
    ("mechanisms: {dpf: {reference: DPF-1}}", "mechanisms: {dpf: §yes}", "neither true nor a table", "write true"),
    # Signals.
    ("geoip: {tier: 2", "geoip: {tier: §1", "the tier of geoip is 2, not 1", "write 2, or leave it out"),
    ("geoip: {tier: 2", "geoip: {may_replace: §[jwt], tier: 2", "only a verified one can", "remove 'may_replace'"),
    ("header: {tier: 3", "header: {may_replace: §[jwt], tier: 3", "only a verified one can", "remove 'may_replace'"),
    ("unknown: {assume: [DE]}", "unknown: §allow", "neither denied nor assumed", "write deny, or {assume: [DE]}"),
    ("unknown: {assume: [DE]}", "unknown: {assume: §[]}", "has 0 items and needs 1", "add what is missing"),
    ("unknown: {assume: [DE]}", "unknown: {assume: [§EEA]}", "'EEA' is neither", "ISO 3166-1 such as DE"),
    ("unknown: {assume: [DE]}", "unknown: §{}", "'assume' is missing", "add 'assume:'"),
    ("anonymous: locate", "anonymous: §deny", "'deny' is none of unknown, locate", "write one of"),
    ("also: [registered, represented]", "also: [§register]", "is none of registered", "did you mean 'registered'"),
    ("also: [registered, represented]", "also: §[]", "has 0 items and needs 1", "add what is missing"),
    ("max_age_days: 45", "max_age_days: §0", "0 is less than 1", "1 or more"),
    ("max_age_days: 45", "max_age_days: §3651", "3651 is more than 3650", "3650 or less"),
    ("  tenant: {tier: 0", "  tenant: {tier: §1", "the tier of tenant is 0, not 1", "write 0, or leave it out"),
    ("tier: 0, may_replace: [jwt]", "tier: 0, may_replace: [§tenant]", "'tenant' is none of", "write one of jwt"),
    ("tier: 0, may_replace: [jwt]", "tier: 0, may_replace: [§registered]", "is none of jwt, geoip", "write one of"),
    ("residency, may_replace: [geoip]", "residency, may_replace: [§jwt]", "cannot replace itself", "remove it"),
    (
        f"{GEOIP}  jwt: {{tier: 1, claim: residency, may_replace: [",
        "  jwt: {claim: c, may_replace: [§",
        "is not read",
        "add that signal",
    ),
    ("may_replace: [geoip]", "may_replace: [§geo]", "'geo' is none of", "did you mean 'geoip'"),
    ("name: x-data-jurisdiction", "name: §X-Data-Jurisdiction", "not a usable name", "in lower case"),
    ("name: x-data-jurisdiction", "name: §x-situs-route", "serves another purpose", "choose one"),
    ("name: x-data-jurisdiction", "name: §authorization", "serves another purpose", "choose one"),
    ("name: x-data-jurisdiction", 'name: §":path"', "not a usable name", "in lower case"),
    ("header: x-data-class", "header: §x-data-jurisdiction", "declares the jurisdiction already", "x-data-class"),
    # Payloads.
    ("limit_kib: 64", "limit_kib: §0", "0 is less than 1", "1 or more"),
    ("limit_kib: 64", "limit_kib: §1025", "1025 is more than", "or less"),
    (CLASSED, "  class: §{}\n", "nothing tells the class", "add 'header:' or 'body:'"),
    (CLASSED, "  class: {body: §{limit_kib: 1, unreadable: special}}\n", "nothing is looked for", "add 'fields:'"),
    ("unreadable: special\n", "unreadable: §specials\n", "'specials' is no class", "did you mean 'special'"),
    ("path: subject.*", "path: §subject..x", "has an empty part", "with dots: subject.ssn"),
    ("path: subject.*", "path: §.subject", "has an empty part", "with dots: subject.ssn"),
    ("fields: [{path: subject.*, class: special}]", "fields: §[]", "has 0 items and needs 1", "add what is missing"),
    ("[{path: subject.*, class: special}]", "[§{path: subject.*}]", "'class' is missing", "add 'class:'"),
    ("[{path: meta.class, equals: health,", "[§{path: meta.class,", "'equals' is missing", "add 'equals:'"),
    ("equals: health,", "equals: §3,", "expected text, and 3 is a whole number", 'in quotes: "3"'),
    ("{email: personal,", "{§mail: personal,", "'mail' is no detector", "write one of email, iban, card"),
    ("{email: personal,", "{email: §person,", "'person' is no class", "did you mean 'personal'"),
    ('regex: "C-[0-9]{6}"', 'regex: §"C-[0-9"', "no pattern of RE2: missing ]", "in the syntax of RE2"),
    ('regex: "C-[0-9]{6}"', 'regex: §"\\\\QC.6"', "no pattern of RE2", "in the syntax of RE2"),  # open at its end
    ('regex: "C-[0-9]{6}"', 'regex: §"(a)\\\\1"', "no pattern of RE2", "in the syntax of RE2"),
    ('regex: "C-[0-9]{6}"', 'regex: §"[0-9]*"', "matches the empty text", "make it ask for something"),
    ('regex: "C-[0-9]{6}"', f"regex: §{'a' * 1001}", "has 1001 characters", "at most 1000"),
    ('regex: "C-[0-9]{6}"', 'regex: §"(\\\\pL{1000}){1000}x"', "no pattern of RE2", "in the syntax of RE2"),
    (
        "class: special}]\nconflict",
        "class: special}, {id: §case-no, regex: a, class: special}]\nconflict",
        "the pattern id 'case-no' is used twice",
        "an id of its own",
    ),
    # Deployment.
    ("pattern: active-passive,", "pattern: §active-pasive,", "is none of", "did you mean 'active-passive'"),
    ("active: [eu-*],", "active: [§ap-*],", "matches no region", "the regions are br-gru"),
    (
        "deployment: {pattern: active-passive, active: [eu-*],",
        "deployment: §{pattern: active-passive,",
        "needs",
        "add 'a",
    ),
    ("deployment: {pattern: active-passive,", "deployment: §{pattern: active-active,", "means nothing to", "remove it"),
    (SHARED, "§{pattern: hub-and-spoke}", "needs 'hubs'", "add 'hubs:'"),
    (
        SHARED,
        "{pattern: hub-and-spoke, hubs: [§eu]}",
        "'eu' is no region",
        "the regions are",
    ),
    (SHARED, "§{pattern: regional-sharding}", "needs 'shards'", "add 'shards:'"),
    (
        SHARED,
        "{pattern: regional-sharding, shards: [§{subjects: EEA}]}",
        "'region' is missing",
        "add 'region:'",
    ),
    ("drain: [ca-*, us-*]", "drain: [§ap-*]", "matches no region", "the regions are br-gru"),
    ("drain: [ca-*, us-*]", "drain: §[]", "has 0 items and needs 1", "add what is missing"),
    ("drain: [ca-*, us-*]", 'drain: §[eu-*, "*-???"]', "every region is drained", "leave one that takes requests"),
    ("us-iad: 0}", "us-iad: §-1}", "-1 is less than 0", "0 or more"),
    ("us-iad: 0}", "us-iad: §1001}", "1001 is more than 1000", "1000 or less"),
    ("us-iad: 0}", "us-iad: §0.5}", "expected a whole number", "write a whole number"),
    ("us-iad: 0}", "§us-idd: 0}", "'us-idd' is no region", "did you mean 'us-iad'"),
    ("weights: {eu-fra: 3, us-iad: 0}", "weights: §{}", "has 0 entries and needs 1", "add what is missing"),
    (
        "weights: {eu-fra: 3, us-iad: 0}",
        "weights: §{eu-fra: 0, eu-ams: 0, us-iad: 0, ca-mtl: 0, br-gru: 0}",
        "every region has the weight 0",
        "give one a weight of 1",
    ),
    (
        f"deployment: {SHARED}",
        f"deployment: §{SHARED}".replace("eu-fra: 3", "eu-fra: 0, eu-ams: 0, br-gru: 0"),
        "every region is drained or has the weight 0",
        "leave one that takes requests",
    ),
    # Affinity.
    ("header: x-session-id", "header: §X-Session-Id", "not a usable name", "in lower case"),
    ("header: x-session-id", 'header: §":path"', "not a usable name", "such as x-session-id"),
    ("header: x-session-id", "header: §cookie", "carries credentials", "such as x-session-id"),
    ("header: x-session-id", "header: §authorization", "carries credentials", "such as x-session-id"),
    ("header: x-session-id", "header: §x-forwarded-client-cert", "carries credentials", "such as x-session-id"),
    ("header: x-session-id", "header: §x-situs-route", "is Envoy's own or ours", "such as x-session-id"),
    ("header: x-session-id", "header: §x-envoy-original-path", "is Envoy's own or ours", "such as x-session-id"),
    ("header: x-session-id", "header: §transfer-encoding", "about one connection", "such as x-session-id"),
    ("header: x-session-id", "header: §connection", "about one connection", "such as x-session-id"),
    ("header: x-session-id", "header: §x-request-id", "names one request", "such as x-session-id"),
    ("affinity: {header: x-session-id}", "affinity: §{}", "'header' is missing", "add 'header:'"),
    ("affinity: {header: x-session-id}", "affinity: §x-session-id", "expected a table", "write"),
    # Overrides.
    ("effect: suspend", "effect: §suspended", "'suspended' is none of suspend", "did you mean 'suspend'"),
    ("region: us-iad", "region: §us-idd", "'us-idd' is no region", "did you mean 'us-iad'"),
    ("permit: eu-gdpr.adequate", "permit: §adequate", "'adequate' is no permit", "did you mean"),
    ("permit: eu-gdpr.adequate", "permit: §quebec.adequate", "is no permit", "the permits are difc.out"),
    ("model: fraud, reason", "model: §frauds, reason", "'frauds' is no model", "did you mean 'fraud'"),
    (
        "{id: LT-14, effect: suspend, model: fraud,",
        "§{id: LT-14, effect: suspend, model: fraud, region: us-iad,",
        "about one thing, and 2 are named",
        "write one of",
    ),
    ("{id: LT-14, effect: suspend, model: fraud,", "§{id: LT-14, effect: suspend,", "and 0 are named", "write one of"),
    ("from: 2026-06-01T09:00:00+02:00", "from: §2026-06-01T09:00:00", "is not a moment", "or with an offset"),
    ("from: 2026-06-01T09:00:00+02:00", "from: §2026-06-01T25:00:00Z", "does not exist", "YYYY-MM-DDTHH"),
    ("until: 2026-07-01", "until: §2026-05-01", "before it starts", "exchange the two times"),
    ("approved_by: [bob, alice]", "approved_by: §[bob, bob]", "listed twice", "once"),
    (
        "approved_by: [bob, alice]",
        f"approved_by: §[{', '.join(f'n{i}' for i in range(17))}]",
        "17 approvers",
        "at most 16",
    ),
    ("approved_by: [bob, alice]", "approved_by: §[]", "has 0 items", "add what is missing"),
    # Tests.
    ("name: quebec, in", "name: §brazil, in", "the test 'brazil' is written twice", "a name of its own"),
    ("now: 2026-03-01", "now: §march", "is not a moment", "or as a day"),
    ("{tenant: walk-in, model: fraud, country: BR}", "§{model: fraud, country: BR}", "names none", "add 'tenant:'"),
    ("{tenant: walk-in, model: fraud, country: BR}", "§{tenant: walk-in}", "names none", "add 'model:'"),
    ("model: fraud, country: BR", "model: §frauds, country: BR", "'frauds' is no model", "did you mean 'fraud'"),
    ("tenant: walk-in, model: fraud", "tenant: §walkin, model: fraud", "'walkin' is no tenant", "mean 'walk-in'"),
    ("country: BR}, expect", "country: §UK}, expect", "'UK' is neither", "write GB"),
    (
        "{tenant: walk-in, model: fraud, country: BR}",
        "§{tenant: walk-in, model: fraud, country: BR, geoip: BR}",
        "and both are given",
        "remove one of the two",
    ),
    ("{refused: ungoverned_jurisdiction}", "{refused: §ungoverned}", "'ungoverned' is none of", "did you mean"),
    ("{refused: ungoverned_jurisdiction}", "§{}", "expects one answer, and 0 are given", "write one of"),
    ("{refused: ungoverned_jurisdiction}", "{permitted: §[]}", "no region is expected", "refused: no_permitted_region"),
    ("{refused: ungoverned_jurisdiction}", "{permitted: [§us]}", "'us' is no region", "the regions are"),
    (
        "{refused: ungoverned_jurisdiction}",
        "§{refused: unknown_class, transfers: [us-iad]}",
        "transfers are expected without",
        "add 'permitted:'",
    ),
    ("{redirect: ca.example}", "§{redirect: ca.example, refused: unknown_class}", "and 2 are given", "write one of"),
    # YAML itself.
    ("cite: operator", "cite: §&c operator", "the anchor &c", "remove it"),
    ("cite: operator", "cite: §!secret operator", "the tag !secret", "remove it"),
    ("plan: {length: 3}\n", "plan: {length: 3}\n§---\na: b\n", "a second document", "one document"),
    ("plan: {length: 3}\ntests:", "plan: {length: 3\ntests§:", "not YAML", "check the indentation and the brackets"),
    ("plan: {length: 3}\n", "plan: {length: 3} # §\x00\n", "U+0000", "remove it"),
]

# Faults that cannot but bring a second report: a misspelt field is also a missing one, and what refers to a faulty
# name refers to nothing.
_BRING_ANOTHER = {"§apiversion: situs/v1", "enabled_by: §dpf", "id: §eea,"}


def test_the_text_without_faults_is_sound() -> None:
    assert isinstance(parse_policy(FULL), PolicyDocument)


@pytest.mark.parametrize(("old", "new", "message", "mend"), FAULTS, ids=[fault[1] for fault in FAULTS])
def test_a_planted_fault_is_reported_at_its_place_with_its_mend(old: str, new: str, message: str, mend: str) -> None:
    assert old in FULL
    marked = FULL.replace(old, new, 1)
    before = marked[: marked.index("§")].split("\n")
    with pytest.raises(DocumentError) as caught:
        parse_policy(marked.replace("§", ""), file="p.yaml")
    problems = caught.value.problems
    found = [problem for problem in problems if message in problem.message and mend in problem.mend]
    assert [(p.place.line, p.place.column) for p in found] == [(len(before), len(before[-1]) + 1)], str(caught.value)
    assert len(problems) == (2 if new in _BRING_ANOTHER else 1), str(caught.value)
    assert str(caught.value).startswith("p.yaml:")


def test_without_an_authenticated_signal_every_request_would_be_refused() -> None:
    text = (
        FULL.replace(GEOIP, "")
        .replace("    subjects: FR\n", "")
        .replace("  tenant: {tier: 0, may_replace: [jwt]}\n", "")
    )
    text = text.replace("  jwt: {tier: 1, claim: residency, may_replace: [geoip]}\n", "")
    with pytest.raises(DocumentError, match=r"p:\d+:3: no authenticated signal .* Mend: add 'geoip: \{\}'"):
        parse_policy(text, file="p")


def test_what_tenants_say_is_enough_and_what_is_said_of_it_needs_one_that_says_it() -> None:
    alone = FULL.replace(GEOIP, "").replace("  jwt: {tier: 1, claim: residency, may_replace: [geoip]}\n", "")
    assert parse_policy(alone.replace("may_replace: [jwt]", "may_replace: [header]")).signals.geoip is None
    with pytest.raises(DocumentError, match=r"no tenant says where its subjects are\. Mend: remove 'tenant:'"):
        parse_policy(FULL.replace("    subjects: FR\n", ""))


@pytest.mark.parametrize("profile", ["legal-first", "hybrid"])
def test_only_one_profile_has_unregulated_classes(profile: str) -> None:
    text = FULL.replace("profile: performance-first", f"profile: {profile}")
    with pytest.raises(DocumentError) as caught:
        parse_policy(text, file="p")
    (problem,) = caught.value.problems
    assert f"unregulated under the profile {profile}" in problem.message
    assert "performance-first" in problem.mend
    parse_policy(text.replace("unregulated: true", "unregulated: false"))


def test_an_attribute_for_which_nothing_asks() -> None:
    text = FULL.replace("tenant_has: difc, tenant_has_not: [adgm]", "class_in: special")
    with pytest.raises(DocumentError, match=r"no condition asks for the attribute 'difc'\. Mend: remove it"):
        parse_policy(text)


def test_the_only_tenant_and_model_need_not_be_named_in_a_test() -> None:
    text = """
apiVersion: situs/v1
policy: {id: a, version: 1, as_of: 2026-01-01, review_by: 2026-01-01, profile: hybrid}
ingress: {region: r, edge: direct}
classes: [personal]
regions: {r: {country: DE, models: {m: {}}}}
regimes: [{id: law, when: {subject_in: DE}, permits: []}]
tenants: {all: {match: anonymous, class: personal}}
signals: {geoip: {}}
tests: [{name: a, in: {geoip: unknown}, expect: {refused: unknown_jurisdiction}}]
"""
    (case,) = parse_policy(text).tests
    assert (case.given.tenant, case.given.model, case.given.geoip_unknown, case.given.geoip) == ("all", "m", True, None)
    assert (case.now, case.line) == (None, 10)


def test_many_faults_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = FULL
    for old, new in [("country: NL", "country: UK"), ("cite: operator", "sight: operator"), ("mode: deny", "mode: x")]:
        text = text.replace(old, new, 1)
    with pytest.raises(DocumentError) as caught:
        parse_policy(text, file="p")
    assert [problem.place.line for problem in caught.value.problems] == [26, 63, 63, 92]
    assert str(caught.value).count("Mend: ") == 4


def test_a_policy_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"missing.yaml:1:1: the file does not exist. Mend: check the path"):
        load_policy(tmp_path / "missing.yaml")
