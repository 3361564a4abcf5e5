"""The tables of the parts `policies` and `reload`."""

from collections.abc import Iterable, Sequence
from statistics import median

from bench.markdown import short, table
from bench.policies import Costs
from bench.reload import Reloaded


def policy_lines(measured: Sequence[Costs]) -> Iterable[str]:
    """Say what each size costs: to load, and to ask."""
    yield from ("", "## Policies by size: loading", "")
    yield "CPU milliseconds; memory in MiB: what document and tables add, and the most that the process held."
    yield "`profiles` are tenants that the law cannot tell apart, `epochs` spans in which no permit or zone changes."
    yield ""
    yield from table(
        ("regions", "regimes", "tenants", "KiB", "epochs", "profiles", "parse ms", "compile ms", "MiB", "peak MiB"),
        [
            (
                *_size(each),
                short(each.text_bytes / 1024),
                str(each.epochs),
                str(each.profiles),
                *map(short, (each.parse_ms, each.compile_ms, each.rss_mib, each.peak_mib)),
            )
            for each in measured
        ],
    )
    yield from ("", "## Policies by size: deciding", "")
    yield "CPU microseconds. `table` is one look into the compiled tables with its masks, `verdict` is tier 1's answer"
    yield "to a known question; `decide` is the whole decision, both tiers, for a question that nobody asked before and"
    yield "for one that is known, and the same while a legal order is in force."
    yield ""
    yield from table(
        ("regions", "regimes", "tenants", "table", "verdict", "decide, new", "known", "with order, new", "known"),
        [
            (
                *_size(each),
                *map(
                    short,
                    (
                        each.table_us,
                        each.judge_known_us,
                        each.new_us,
                        each.known_us,
                        each.order_new_us,
                        each.order_known_us,
                    ),
                ),
            )
            for each in measured
        ],
    )


def reload_lines(measured: Sequence[Reloaded]) -> Iterable[str]:
    """Say what changes cost in latency, and how long each took."""
    yield from ("", "## Changes under load", "")
    yield "Through Envoy, open loop. Latencies in microseconds, medians over the rounds; `x` is the ratio in a round."
    yield "The row in which nothing changes is what this machine does by itself."
    yield ""
    rows = []
    for each in measured:
        rounds = each.rounds
        rows.append(
            (
                each.case,
                str(each.changes),
                short(median(round_.quiet_p50_us for round_ in rounds)),
                short(median(round_.changing_p50_us for round_ in rounds)),
                short(median(round_.quiet_p99_us for round_ in rounds)),
                short(median(round_.changing_p99_us for round_ in rounds)),
                short(each.p99_ratio),
                str(sum(round_.failed for round_ in rounds)),
                short(median(each.took_ms)) if each.took_ms else "",
                short(max(each.took_ms)) if each.took_ms else "",
            )
        )
    yield from table(
        (
            "case",
            "changes",
            "p50 quiet",
            "changing",
            "p99 quiet",
            "changing",
            "x",
            "failed",
            "in force after ms",
            "at most",
        ),
        rows,
    )


def _size(costs: Costs) -> tuple[str, str, str]:
    return str(costs.size.regions), str(costs.size.regimes), f"{costs.size.tenants:,}"
