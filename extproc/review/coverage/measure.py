"""Which rules the tests depend on, found by taking each rule away."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from extproc.core.overrides import TargetKind
from extproc.policy.compile import CompiledPolicy, compile_policy
from extproc.policy.document import Case, PolicyDocument
from extproc.review.cases import answered_of, run_case
from extproc.review.coverage.rules import Rule, RuleKind, rules_of
from extproc.review.explain.world import World, regimes_in_question, world_of
from extproc.review.question import ask, moment_s
from extproc.review.what_if.trial import suspending


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """One rule, and the first test that depends on it; None where none does."""

    rule: Rule
    test: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """All rules. Tests that fail cover nothing: what they show of the policy is not known."""

    rules: tuple[Covered, ...]
    tests: int
    failing: tuple[str, ...]

    @property
    def covered(self) -> int:
        """Give how many rules are covered."""
        return sum(each.test is not None for each in self.rules)

    @property
    def percent(self) -> float:
        """Give the share of rules that are covered, 0 to 100."""
        return 100 * self.covered / len(self.rules)


def coverage_of(compiled: CompiledPolicy) -> Coverage:
    """Measure it.

    A rule is covered if some test that passes would fail without the rule. For a permit, that is while an order
    suspends it, and for an order, without the order. A tenant is covered by a test that asks on its behalf. What an
    obligation demands no test can see, so it is covered by a test whose request it bears on.
    """
    outcomes = [run_case(compiled, case) for case in compiled.document.tests]
    passing = [_Tried(compiled, outcome.case) for outcome in outcomes if outcome.passed]
    rules = tuple(Covered(rule=rule, test=_first(rule, passing)) for rule in rules_of(compiled.document))
    failing = tuple(outcome.case.name for outcome in outcomes if not outcome.passed)
    return Coverage(rules=rules, tests=len(outcomes), failing=failing)


def _first(rule: Rule, passing: "list[_Tried]") -> str | None:
    return next((tried.case.name for tried in passing if tried.depends_on(rule)), None)


class _Tried:
    """One test that passes, and what becomes of it."""

    def __init__(self, compiled: CompiledPolicy, case: Case) -> None:
        self.case = case
        self._compiled = compiled
        self._now_s = moment_s(compiled, case.now)
        self._ruled = ask(compiled, case.given, self._now_s)
        self._world: World | None = None

    def depends_on(self, rule: Rule) -> bool:
        """Tell whether the test would fail without the rule, or meets one of which no test can see more."""
        if rule.tenant not in (None, self.case.given.tenant):
            return False
        match rule.kind:
            case RuleKind.TENANT:
                return True
            case RuleKind.OBLIGATION:
                return self._ruled.verdict is not None and rule.name in self._ruled.verdict.obligations
            case RuleKind.PERMIT:
                return rule.name in self._permits() and self._fails_while_suspended(rule.name)
            case RuleKind.ORDER:
                return self._fails_without_order(rule.name)
            case _:
                return rule.without is not None and self._may_bear(rule) and self._fails(rule.without)

    def _permits(self) -> set[str]:
        """List the permits on which permitted regions rest."""
        if self._ruled.verdict is None:
            return set()
        return {
            permit.name for each in self._ruled.verdict.regions if each.exclusion is None for permit in each.permits
        }

    def _may_bear(self, rule: Rule) -> bool:
        """Tell whether a rule can matter at all: a regime that does not govern is not tried."""
        if rule.kind not in (RuleKind.REGIME, RuleKind.CLASS_RULE):
            return True
        return self._ruled.verdict is not None and rule.path[1] in self._ruled.verdict.regimes

    def _fails_while_suspended(self, permit: str) -> bool:
        orders = (*self._compiled.suspensions, suspending(TargetKind.PERMIT, permit))
        return self._differs(replace(self._compiled, suspensions=orders))

    def _fails_without_order(self, id_: str) -> bool:
        orders = tuple(order for order in self._compiled.suspensions if order.id != id_)
        return self._differs(replace(self._compiled, suspensions=orders))

    def _fails(self, without: Callable[[PolicyDocument], PolicyDocument]) -> bool:
        if self._world is None:
            regimes = regimes_in_question(self._compiled, self.case.given, self._now_s)
            self._world = world_of(self._compiled, self.case.given, self._now_s, regimes)
        if self._compiled.tables.epoch_at(self._now_s) is None:
            return False  # before the policy is in force no rule of it answers
        changed = compile_policy(without(self._world.document))
        return self._differs(replace(changed, suspensions=self._compiled.suspensions))

    def _differs(self, changed: CompiledPolicy) -> bool:
        answered = answered_of(changed, ask(changed, self.case.given, self._now_s))
        return not answered.meets(self.case.expect)


def uncovered(coverage: Coverage) -> Iterator[Rule]:
    """List the rules on which no test depends."""
    return (each.rule for each in coverage.rules if each.test is None)
