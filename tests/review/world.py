"""A small policy in which everything that a review looks at happens once, and ways to change a line of it."""

from pathlib import Path
from typing import Final

from extproc.policy import CompiledPolicy, compile_policy, parse_policy

POLICY: Final = """\
apiVersion: situs/v1
policy: {id: small, version: 3, as_of: 2026-11-21, review_by: 2027-02-21, profile: hybrid}
ingress: {region: eu-fra, edge: direct, on_mismatch: redirect, redirect_hosts: {AE: ae.api.example}}
classes: [personal, public, special]
zones:
  EEA: builtin
  NEAR: [{country: BR, cite: Dec. (EU) 2026/179, valid_until: 2027-05-31}]
regions:
  eu-ams: {country: NL, models: {fraud: {}}}
  eu-fra: {country: DE, models: {fraud: {}}}
  br-gru: {country: BR, models: {fraud: {}}}
  me-dxb: {country: AE, models: {fraud: {}}}
  us-iad: {country: US, certs: [dpf], models: {fraud: {}}}
regimes:
  - id: gdpr
    when: {subject_in: EEA, class_not: [public]}
    permits:
      - {id: eea, to: EEA, basis: internal, cite: Reg. (EU) 2016/679}
      - {id: near, to: NEAR, basis: adequacy, cite: Art. 45}
      - {id: dpf, to: {country: US, cert: dpf}, basis: adequacy, enabled_by: tenant.mechanisms.dpf, cite: "2023/1795",
         valid_until: 2026-12-31, review_by: 2026-12-15, risk: appeal pending}
    obligations:
      - {id: register, duty: keep a register, cite: Art. 30}
    class: {special: {only: [eea]}}
  - id: uae
    when: {subject_in: AE, class_not: [public]}
    permits:
      - {id: ae, to: AE, basis: internal, cite: FDL 45/2021}
  - id: open
    when: {subject_in: anywhere, class_in: [public]}
    permits:
      - {id: anywhere, to: anywhere, basis: unrestricted, cite: own judgment}
tenants:
  bank: {match: {jwt.tenant: bank}, class: personal, mechanisms: {dpf: {reference: DPF-7}}, expects: [EEA, AE]}
  shop: {match: {jwt.tenant: shop}, class: personal, allow: [eu-*], expects: [DE, FR]}
  walk-in: {match: anonymous, class: personal}
signals:
  geoip: {}
  jwt: {claim: residency, may_replace: [geoip]}
overrides:
  - {id: LT-1, effect: suspend, region: br-gru, reason: injunction, from: 2027-01-10, until: 2027-01-20,
     approved_by: [a, b]}
tests:
  - {name: bank in France, now: 2026-12-01, in: {tenant: bank, geoip: FR},
     expect: {permitted: [br-gru, eu-ams, eu-fra, us-iad], transfers: [br-gru, us-iad]}}
  - {name: special stays, now: 2026-12-01, in: {tenant: bank, geoip: FR, class: special},
     expect: {permitted: [eu-ams, eu-fra]}}
  - {name: the Emirates go to their own host, in: {tenant: walk-in, geoip: AE}, expect: {redirect: ae.api.example}}
  - {name: shop, in: {tenant: shop, geoip: DE}, expect: {permitted: [eu-ams, eu-fra]}}
  - {name: nobody knows, in: {tenant: walk-in, geoip: unknown}, expect: {refused: unknown_jurisdiction}}
"""


def compiled(text: str = POLICY) -> CompiledPolicy:
    """Compile a policy."""
    return compile_policy(parse_policy(text))


def changed(*pairs: tuple[str, str]) -> str:
    """Give the policy with some of its text replaced, each of which must be there."""
    text = POLICY
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def written(folder: Path, text: str = POLICY) -> Path:
    """Write a policy to a file."""
    path = folder / "policy.yaml"
    path.write_text(text)
    return path
