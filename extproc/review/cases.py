"""`tests:` of a policy, asked and held against what their author expects.

A case is answered by the same tier 1 that answers requests. What is compared is what the case states and no more: an
expected set of regions is exact, and transfers are looked at only where they are written.
"""

from dataclasses import dataclass

from extproc.core.decide import Permitted, Refused, transfers_of
from extproc.core.ids import RegionId
from extproc.core.jurisdiction import RegionVerdict
from extproc.core.reasons import Refusal
from extproc.policy.compile import CompiledPolicy
from extproc.policy.document import Case, Expectation
from extproc.review.question import ask, moment_s
from extproc.review.words import exclusion_in_words, joined, refusal_in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of a case, in the terms of its expectation. `refused` and `redirect` are None where it is permitted."""

    permitted: tuple[RegionId, ...] = ()
    transfers: tuple[RegionId, ...] = ()
    refused: Refusal | None = None
    redirect: str | None = None

    def meets(self, expect: Expectation) -> bool:
        """Tell whether this is what the author expects."""
        if expect.redirect is not None:
            return self.redirect == expect.redirect
        if expect.refused is not None:
            return self.refused is expect.refused and self.redirect is None
        if self.refused is not None or self.permitted != expect.permitted:
            return False
        return expect.transfers is None or self.transfers == expect.transfers


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionReason:
    """Why one region is permitted or excluded: `rule` is the permits, the regime or the order that did it."""

    region: RegionId
    permitted: bool
    rule: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One case, what came of it, and why, region by region; no regions where tier 1 defined no answer."""

    case: Case
    answered: Answered
    passed: bool
    regions: tuple[RegionReason, ...]

    @property
    def differing(self) -> tuple[RegionReason, ...]:
        """The regions that the expectation and the answer disagree about; all of them where it is not about regions."""
        expect = self.case.expect
        if expect.permitted is None or self.answered.refused is not None:
            return self.regions
        moved = set(expect.permitted) ^ set(self.answered.permitted)
        if expect.transfers is not None:
            moved |= set(expect.transfers) ^ set(self.answered.transfers)
        return tuple(each for each in self.regions if each.region in moved)


def run_cases(compiled: CompiledPolicy) -> tuple[Outcome, ...]:
    """Run every case of the policy, in the order of the document."""
    return tuple(run_case(compiled, case) for case in compiled.document.tests)


def run_case(compiled: CompiledPolicy, case: Case) -> Outcome:
    """Run one case."""
    ruled = ask(compiled, case.given, moment_s(compiled, case.now))
    answered = answered_of(compiled, ruled)
    regions = () if ruled.verdict is None else tuple(map(_reason, ruled.verdict.regions))
    return Outcome(case=case, answered=answered, passed=answered.meets(case.expect), regions=regions)


def answered_of(compiled: CompiledPolicy, ruled: Permitted | Refused) -> Answered:
    """Put tier 1's answer in the terms of an expectation."""
    if isinstance(ruled, Refused):
        return Answered(refused=ruled.deny.refusal, redirect=ruled.deny.redirect_host)
    regions = ruled.verdict.regions
    left = tuple(i for i, each in enumerate(regions) if each.exclusion is None)
    transfers = {each.region for each in transfers_of(compiled.tables, ruled.tenant, ruled.verdict, left)}
    return Answered(permitted=tuple(regions[i].region for i in left), transfers=tuple(sorted(transfers)))


def expectation_in_words(expect: Expectation) -> str:
    """Say what the author expects."""
    if expect.redirect is not None:
        return f"redirected to {expect.redirect}"
    if expect.refused is not None:
        return f"refused, {expect.refused}"
    words = f"permitted {joined(expect.permitted or ())}"
    return words if expect.transfers is None else f"{words}; transfers to {joined(expect.transfers)}"


def answered_in_words(answered: Answered, expect: Expectation) -> str:
    """Say what came instead; transfers only where the expectation speaks of them."""
    if answered.redirect is not None:
        return f"redirected to {answered.redirect}"
    if answered.refused is not None:
        return f"refused, {answered.refused}: {refusal_in_words(answered.refused)}"
    words = f"permitted {joined(answered.permitted)}"
    return words if expect.transfers is None else f"{words}; transfers to {joined(answered.transfers)}"


def _reason(verdict: RegionVerdict) -> RegionReason:
    if verdict.exclusion is None:
        rests = joined(f"{permit.name} ({permit.basis})" for permit in verdict.permits)
        rule = " ".join(permit.name for permit in verdict.permits)
        words = f"permitted by {rests}" if verdict.permits else "permitted: no regime governs an unregulated class"
        return RegionReason(region=verdict.region, permitted=True, rule=rule, words=words)
    by = "" if verdict.excluded_by is None else f" by {verdict.excluded_by}"
    words = f"excluded{by} ({verdict.exclusion}): {exclusion_in_words(verdict.exclusion)}"
    rule = str(verdict.excluded_by or verdict.exclusion)
    return RegionReason(region=verdict.region, permitted=False, rule=rule, words=words)
