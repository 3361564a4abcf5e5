"""Ten questions to the shipped policies, explained: the whole text as a lawyer reads it, and the facts it must hold.

Each text in `golden/` was read and found right. After a change of the wording or of a shipped policy, write them anew
with `SITUS_REGENERATE=1 pytest tests/review/test_ten_cases.py`, read the difference, and judge it as a lawyer would.
What each case asserts below about rules, citations, dates and remedies does not come from the files, and must hold.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from importlib import resources
from pathlib import Path

import pytest

from extproc.core.facts import Source
from extproc.core.ids import DataClass, Jurisdiction, ModelId, OverrideId, RegionId, TenantId
from extproc.core.overrides import Suspension, TargetKind
from extproc.core.reasons import Exclusion, Refusal
from extproc.core.tables import Basis
from extproc.policy import CompiledPolicy, compile_policy, parse_policy
from extproc.policy.document import CaseInput
from extproc.policy.starter.compose import compose
from extproc.review.explain import ChangeKind, Explanation, Ground, RegionNote, explain, format_explanation

_GOLDEN = Path(__file__).parent / "golden"
_WIDTH = 100
_INJUNCTION = Suspension(
    id=OverrideId("LT-20261201-1"),
    kind=TargetKind.REGION,
    name="eu-ams",
    reason="injunction 4 O 12/26",
    from_s=datetime(2026, 12, 1, tzinfo=UTC).timestamp(),
    until_s=datetime(2027, 1, 1, tzinfo=UTC).timestamp(),
    approved_by=("A. Counsel", "B. Officer"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    policy: str
    tenant: str
    on: date = date(2026, 12, 1)
    data_class: str = ""
    geoip: str = ""
    jwt: str = ""
    header: str = ""
    orders: tuple[Suspension, ...] = ()

    def explained(self) -> Explanation:
        compiled = _compiled(self.policy)
        given = CaseInput(
            tenant=TenantId(self.tenant),
            model=ModelId(next(iter(compiled.tables.models))),
            data_class=DataClass(self.data_class) if self.data_class else None,
            geoip=Jurisdiction(self.geoip) if self.geoip else None,
            geoip_unknown=not self.geoip,
            jwt=Jurisdiction(self.jwt) if self.jwt else None,
            header=Jurisdiction(self.header) if self.header else None,
        )
        at = datetime.combine(self.on, datetime.min.time(), UTC)
        return explain(replace(compiled, suspensions=self.orders), given, at.timestamp())


@cache
def _compiled(policy: str) -> CompiledPolicy:
    if policy == "demo":
        return compile_policy(parse_policy((resources.files("extproc.policy") / "examples" / "demo.yaml").read_bytes()))
    return compile_policy(parse_policy(compose(*policy.split("/"))))


def _region(found: Explanation, name: str) -> RegionNote:
    return next(each for each in found.regions if each.region == name)


def _ground(found: Explanation, region: str, regime: str, data_class: str = "") -> Ground:
    grounds = _region(found, region).grounds
    return next(
        each for each in grounds if each.regime == regime and (not data_class or DataClass(data_class) in each.classes)
    )


def _permitted(found: Explanation) -> set[RegionId]:
    return {each.region for each in found.regions if each.permitted}


def _changes(found: Explanation, region: str) -> dict[str, tuple[ChangeKind, ...]]:
    return {each.words: each.kinds for each in _region(found, region).changes}


def _bank_in_france(found: Explanation) -> None:
    """A transfer under the DPF, which the bank has declared."""
    assert _permitted(found) == {"eu-ams", "eu-fra", "us-iad"}
    home, abroad = _ground(found, "eu-fra", "eu-gdpr").permit, _ground(found, "us-iad", "eu-gdpr").permit
    assert home is not None
    assert (home.name, home.basis, home.cite) == ("eu-gdpr.eea", Basis.INTERNAL, "Reg. (EU) 2016/679")
    assert abroad is not None
    assert (abroad.name, abroad.basis, abroad.mechanism, abroad.declared) == (
        "eu-gdpr.dpf",
        Basis.ADEQUACY,
        "dpf",
        True,
    )
    assert abroad.cite == "Implementing Decision (EU) 2023/1795"
    assert "appeal" in abroad.risk
    assert abroad.review_by == date(2027, 2, 21)
    assert _region(found, "us-iad").transfer
    assert not _region(found, "eu-fra").transfer
    kinds = {kind for kinds in _changes(found, "us-iad").values() for kind in kinds}
    assert kinds == {ChangeKind.PERMIT, ChangeKind.MECHANISM, ChangeKind.PROFILE, ChangeKind.DATA_CLASS}
    assert not _region(found, "me-dxb").changes


def _bank_in_france_special(found: Explanation) -> None:
    """Special categories stay inside, whatever is declared; the class is what stands in the way."""
    assert _permitted(found) == {"eu-ams", "eu-fra"}
    assert _region(found, "us-iad").exclusion is Exclusion.CLASS_RULE
    ground = _ground(found, "us-iad", "eu-gdpr", "special")
    assert ground.lacking is Exclusion.CLASS_RULE
    assert [each.permit.name for each in ground.near] == ["eu-gdpr.dpf"]
    assert _changes(found, "us-iad") == {
        "if the data were not of the class special, and the request did not declare it": (ChangeKind.DATA_CLASS,)
    }
    assert [(each.data_class, each.words) for each in found.classes] == [
        ("personal", "the tenant's own"),
        ("special", "declared by the request"),
    ]


def _two_laws(found: Explanation) -> None:
    """A header that nobody verified adds a law, so nothing is left; without it Germany's stands alone."""
    assert found.refusal is Refusal.NO_PERMITTED_REGION
    assert [each.regime for each in found.governing] == ["eu-gdpr", "uae"]
    assert _region(found, "eu-fra").excluded_by == "uae"
    assert _region(found, "me-dxb").excluded_by == "eu-gdpr"
    assert list(_changes(found, "eu-fra").values()) == [(ChangeKind.SIGNAL,)]
    assert found.ingress.permitted is False


def _nobody_knows_where(found: Explanation) -> None:
    """Nothing is guessed, and the remedy is to know: an anonymous client has no claim that could say it."""
    assert found.refusal is Refusal.UNKNOWN_JURISDICTION
    assert found.regions == ()
    words = [each.words for each in found.remedies]
    assert words == [
        "if it were known where the address is: that place decides then",
    ]


def _claim_stands_in(found: Explanation) -> None:
    """A verified claim replaces the address, and the exporter brings GDPR all the same."""
    assert found.jurisdictions == ("US",)
    (claim, address) = found.signals
    assert (claim.source, claim.counts, address.source, address.counts) == (Source.JWT, True, Source.GEOIP, False)
    assert "jwt.may_replace" in address.words
    assert [each.regime for each in found.governing] == ["eu-gdpr", "us"]
    assert any("exporter is established in France" in words for words in found.governing[0].because)
    assert _permitted(found) == {"eu-ams", "eu-fra"}


def _injunction(found: Explanation) -> None:
    """A legal order takes a region that every law permits, until its end."""
    note = _region(found, "eu-ams")
    assert (note.exclusion, note.excluded_by) == (Exclusion.SUSPENDED, "LT-20261201-1")
    assert "injunction 4 O 12/26" in note.words
    assert "2027-01-01" in note.words
    assert "A. Counsel and B. Officer" in note.words
    kinds = [each.kinds for each in note.changes]
    assert kinds == [(ChangeKind.ORDER,), (ChangeKind.TIME,)]
    assert note.changes[1].on == date(2027, 1, 1)
    assert _permitted(found) == {"eu-fra"}


def _quebec(found: Explanation) -> None:
    """Law 25 looks at the province: Ontario is outside, and needs an assessment and an agreement."""
    assert _permitted(found) == {"ca-mtl", "ca-yqb"}
    assert [each.regime for each in found.governing] == ["ca-pipeda", "ca-qc-law25"]
    assert _ground(found, "ca-tor", "ca-pipeda").permit is not None
    near = _ground(found, "ca-tor", "ca-qc-law25").near
    assert near
    assert all("not declared the mechanism pia" in each.words for each in near)
    assert _changes(found, "ca-tor") == {"if the tenant had the mechanism pia and declared it": (ChangeKind.MECHANISM,)}
    paired = [kinds for kinds in _changes(found, "eu-fra").values() if len(kinds) == 2]
    assert paired == [(ChangeKind.MECHANISM, ChangeKind.MECHANISM)]


def _french_patient(found: Explanation) -> None:
    """Health data needs a certified host, by a rule of which its author could not verify all."""
    assert _permitted(found) == {"eu-ams", "eu-fra"}
    unverified = [each.regime for each in found.governing if not each.verified]
    assert unverified == ["fr-hds"]
    permit = _ground(found, "eu-fra", "fr-hds").permit
    assert permit is not None
    assert "L1111-8" in permit.cite
    assert _region(found, "eu-dub").excluded_by == "fr-hds"
    assert [kinds[0] for kinds in _changes(found, "eu-dub").values()][:1] == [ChangeKind.CERTIFICATION]


def _last_day_of_adequacy(found: Explanation) -> None:
    """The Commission's decision on the United Kingdom counts for its last day, and the day after is named."""
    note = _region(found, "uk-lon")
    assert note.permitted
    assert note.transfer
    ground = _ground(found, "uk-lon", "eu-gdpr")
    assert ground.permit is not None
    assert ground.permit.basis is Basis.ADEQUACY
    assert any("2031-12-27" in words for words in ground.belongs)
    assert [each.on for each in note.changes if each.on is not None] == [date(2031, 12, 28)]
    assert found.overdue


def _russian_copy(found: Explanation) -> None:
    """Russia's law leaves Russia alone, and asks for a copy besides."""
    assert _permitted(found) == {"ru-led", "ru-mow"}
    assert found.duties
    assert all(each.name.startswith("ru-152fz.") and "152-FZ" in each.cite for each in found.duties)
    assert _ground(found, "eu-fra", "ru-152fz").lacking is Exclusion.NO_PERMIT
    assert not _region(found, "eu-fra").changes


_CASES: dict[str, tuple[_Asked, Callable[[Explanation], None]]] = {
    "01-bank-in-france": (_Asked(policy="demo", tenant="acme-bank", geoip="FR"), _bank_in_france),
    "02-bank-in-france-special": (
        _Asked(policy="demo", tenant="acme-bank", geoip="FR", data_class="special"),
        _bank_in_france_special,
    ),
    "03-two-laws": (_Asked(policy="demo", tenant="walk-in", geoip="DE", header="AE"), _two_laws),
    "04-nobody-knows-where": (_Asked(policy="demo", tenant="walk-in"), _nobody_knows_where),
    "05-claim-stands-in": (_Asked(policy="demo", tenant="eu-clinic", geoip="AE", jwt="US"), _claim_stands_in),
    "06-injunction": (
        _Asked(policy="demo", tenant="walk-in", geoip="NL", on=date(2026, 12, 24), orders=(_INJUNCTION,)),
        _injunction,
    ),
    "07-quebec": (_Asked(policy="hybrid/global", tenant="retail", geoip="CA-QC"), _quebec),
    "08-french-patient": (
        _Asked(policy="hybrid/health", tenant="group", geoip="FR", data_class="health"),
        _french_patient,
    ),
    "09-last-day-of-adequacy": (
        _Asked(policy="hybrid/finance", tenant="group", geoip="DE", on=date(2031, 12, 27)),
        _last_day_of_adequacy,
    ),
    "10-russian-copy": (_Asked(policy="hybrid/global", tenant="group", geoip="RU"), _russian_copy),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", _CASES)
def test_the_text_is_the_one_that_was_read_and_holds_what_the_law_says(name: str) -> None:
    asked, holds = _CASES[name]
    found = asked.explained()
    holds(found)
    text = format_explanation(found, _WIDTH)
    path = _GOLDEN / f"{name}.txt"
    if os.environ.get("SITUS_REGENERATE"):
        path.write_text(text)
    # The revision is the digest of the whole policy, of which a question sees only a part.
    assert _without_revision(text) == _without_revision(path.read_text())
    assert max(map(len, text.splitlines())) <= _WIDTH


def _without_revision(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("sha256:")]
