"""One page of metrics for several workers."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from extproc.workers.exposition import merge


def _page(worker: int) -> str:
    registry = CollectorRegistry()
    counter = Counter("x_total", 'Help with "quotes"\nand a new line.', ["reason"], registry=registry)
    counter.labels('a"b\\c}{,= \n\u2028d').inc(worker + 1)
    counter.labels("").inc(10)
    Gauge("up", "Without labels.", registry=registry).set(worker)
    histogram = Histogram("took_seconds", "A histogram.", buckets=(1, 2), registry=registry)
    histogram.observe(worker)
    if worker == 1:
        Gauge("only_here", "Of one worker alone.", registry=registry).set(float("inf"))
    return generate_latest(registry).decode()


def test_the_page_parses_and_the_sums_are_those_of_one_process() -> None:
    families = {
        family.name: family for family in text_string_to_metric_families(merge({n: _page(n) for n in range(3)}))
    }
    assert families["x"].type == "counter"
    assert families["x"].documentation == 'Help with "quotes"\nand a new line.'
    totals: dict[str, float] = {}
    for sample in families["x"].samples:
        if sample.name == "x_total":
            totals[sample.labels["reason"]] = totals.get(sample.labels["reason"], 0.0) + sample.value
    assert totals == {'a"b\\c}{,= \n\u2028d': 6.0, "": 30.0}
    assert {sample.labels["worker"]: sample.value for sample in families["up"].samples} == {"0": 0, "1": 1, "2": 2}
    buckets = [s for s in families["took_seconds"].samples if s.labels.get("le") == "1.0"]
    assert [sample.value for sample in buckets] == [1, 1, 0]
    assert [sample.labels for sample in families["only_here"].samples] == [{"worker": "1"}]


def test_each_metric_is_told_of_once() -> None:
    lines = merge({n: _page(n) for n in range(3)}).split("\n")
    about = [line for line in lines if line.startswith("# TYPE")]
    assert len(about) == len(set(about))
    names = [line.partition("{")[0] for line in lines if line and not line.startswith("#")]
    assert [name for number, name in enumerate(names) if name not in names[:number]] == list(dict.fromkeys(names))
    runs = sum(1 for before, name in zip(["", *names], names, strict=False) if before != name and name == "x_total")
    assert runs == 1


def test_nobody_has_no_metrics() -> None:
    assert merge({}) == ""
