"""A configuration in which something is broken is judged or refused; nothing else ever happens."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh.check.readable import FAULTS, camel, dump_of, judged, problems_of, source, with_faults

from extproc.mesh.check.read import read_sources

JUNK: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    3.5,
    10**30,
    "",
    "x",
    "-1s",
    "99999999999999999999s",
    "nan",
    "inf",
    "infinity",
    "1e999",
    "\u0000",
    "[::1",
    "type.googleapis.com/xds.type.v3.TypedStruct",
    [],
    {},
    [None],
    [[]],
    {"": {}},
    {"@type": "type.googleapis.com/xds.type.v3.TypedStruct", "type_url": 1, "value": []},
    {"@type": 7},
)


def broken(value: Any, random: Random, chance: float) -> Any:  # noqa: ANN401 - JSON
    """Put junk in the place of some values, and repeat or drop some elements of lists."""
    if random.random() < chance:
        return random.choice(JUNK)
    if isinstance(value, dict):
        return {name: broken(each, random, chance) for name, each in value.items() if random.random() > chance / 4}
    if isinstance(value, list):
        return [broken(each, random, chance) for each in value for _ in range(1 + (random.random() < chance))]
    return value


@pytest.mark.slow
@settings(max_examples=150)
@given(st.integers(0, 2**32), st.sampled_from([0.002, 0.01, 0.05]), st.booleans(), st.booleans())
def test_a_broken_configuration_is_judged_or_refused(seed: int, chance: float, as_dump: bool, as_camel: bool) -> None:  # noqa: FBT001 - drawn
    random = Random(seed)
    fields = with_faults(*FAULTS)
    fields = dump_of(fields) if as_dump else fields
    fields = broken(camel(fields) if as_camel else fields, random, chance)
    assert all(problem.mend for problem in problems_of(lambda: judged(fields)))


WORDS = st.sampled_from(
    "apiVersion kind metadata name namespace spec data items List ConfigMap EnvoyFilter situs/v1 v1 "
    "networking.istio.io/v1 static_resources dynamic_resources listeners clusters resources configs @type "
    "type.googleapis.com/envoy.config.cluster.v3.Cluster type.googleapis.com/envoy.admin.v3.ListenersConfigDump "
    "type.googleapis.com/envoy.admin.v3.ClustersConfigDump meshConfig envoy.yaml path lds_config".split()
)
VALUES = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers(-3, 99999),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(WORDS, below, max_size=5),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=200)
@given(VALUES)
def test_what_looks_like_a_configuration_is_read_or_refused(value: object) -> None:
    assert all(problem.mend for problem in problems_of(lambda: read_sources([source(value)])))
