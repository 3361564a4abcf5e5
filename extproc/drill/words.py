"""One outcome in a sentence or two, as a person would tell it."""

from extproc.drill.outcome import Outcome
from extproc.drill.scenarios import ORDER_S, Scenario


def sentence(outcome: Outcome) -> str:
    """Say what was done and what came of it."""
    return f"{_capital(outcome.done)}. {_came(outcome)} {_kept(outcome)}"


def _came(outcome: Outcome) -> str:
    failed = _failed(outcome)
    if outcome.interrupted and outcome.recovery_s is None:
        return f"Service did not come back while it was watched; {failed}."
    took = "" if outcome.recovery_s is None else f"{_span(outcome.recovery_s)}"
    match outcome.scenario:
        case Scenario.SUSPENSION:
            return (
                f"The first request that was served elsewhere or refused was answered {took} after the order; {failed}"
                f"{_refused(outcome)}. {_in_flight(outcome)}Nothing that was decided {ORDER_S:g} s after it or later "
                f"may reach {outcome.region}."
            )
        case Scenario.BROWN_OUT:
            return f"Most requests were answered as fast as before, or nearly, after {took}; {failed}."
        case _ if outcome.recovery_s is None:
            return f"Nobody noticed: {failed}, and no attempt did."
        case _:
            return f"After the first failure service was there again in {took}; {failed}."


def _failed(outcome: Outcome) -> str:
    how = ", ".join(f"{count:,} with {what}" for what, count in outcome.unserved)
    return f"{outcome.failed or 'none'} of {outcome.requests:,} requests failed{how and f' ({how})'}"


def _refused(outcome: Outcome) -> str:
    return f", {outcome.refused} were refused with 451" if outcome.refused else ""


def _in_flight(outcome: Outcome) -> str:
    if not outcome.in_flight and not outcome.after_order:
        return ""
    return (
        f"Of {outcome.in_flight} requests in flight at that moment, {outcome.after_order} were tried again after the "
        "order, which the log names (`after_order`). "
    )


def _kept(outcome: Outcome) -> str:
    account = "the cells' own accounts" if outcome.by_cells else "the answers and Envoy's reports"
    outside = f"{len(outcome.outside)} went" if outcome.outside else "nothing went"
    lost = len(outcome.lost)
    records = "no record is" if not lost else "1 record is" if lost == 1 else f"{lost} records are"
    return (
        f"By {account} {outside} where it was not permitted; of {outcome.records + lost:,} released "
        f"decisions {records} lost."
    )


def _span(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1.0 else f"{seconds:.2f} s"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:] if text.split(" ", 1)[0].isalpha() else text
