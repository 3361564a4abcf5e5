"""What may follow what while a sidecar runs: the same Envoy, no way back, and a candidate that holds up nothing."""

from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from extproc.bundle.errors import RollbackError
from extproc.demo.places import write_geo_database
from extproc.sidecar.configuration import (
    Configuration,
    Files,
    Origin,
    Parts,
    combine,
    load_configuration,
    read_parts,
    read_policy,
)
from extproc.sidecar.fitting import ConfigurationError, check_same_envoy


class World:
    """The files of a configuration, and what was loaded from them."""

    def __init__(self, root: Path) -> None:
        self.policy, self.shadow, self.geo = root / "policy.yaml", root / "shadow.yaml", root / "country.mmdb"
        self.text = (resources.files("extproc.policy") / "examples" / "demo.yaml").read_text()
        self.policy.write_text(self.text)
        self.shadow.write_text(self.text)
        write_geo_database(self.geo)
        self.files = Files(policy=Origin(location=str(self.policy)), geo=self.geo, shadow=self.shadow)
        self.loaded = load_configuration(self.files)

    def changed(self, old: str, new: str) -> Configuration:
        """Load the policy with one text replaced, as a running sidecar would."""
        assert old in self.text
        self.policy.write_text(self.text.replace(old, new))
        return combine(self.files, read_parts(self.files, {self.policy}, self.loaded), self.loaded)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  eu-ams: {country: NL,", "  eu-ams: {country: NL, cluster: us-iad-2,"),  # a cluster that Envoy has not
        ("  eu-ams: {country: NL,", "  eu-ams: {country: BE,"),  # one that stays, elsewhere
        ("edge: {trusted_hops: 1}", "edge: {trusted_hops: 2}"),
        ("class: {header: x-data-class}", "class: {header: x-other}"),
        ("plan: {length: 2}", "plan: {length: 3}"),
        ("match: {jwt.tenant: clinic}", 'match: {spiffe: "spiffe://acme.example/*"}'),
        (
            "class: {header: x-data-class}",
            "class: {header: x-data-class, body: {limit_kib: 4, unreadable: special, detectors: {iban: special}}}",
        ),
    ],
)
def test_what_needs_another_envoy_is_refused(old: str, new: str, world: World) -> None:
    with pytest.raises(ConfigurationError, match="needs another Envoy configuration"):
        check_same_envoy(world.loaded.compiled, world.changed(old, new).compiled)


@pytest.mark.slow
def test_swapped_clusters_are_refused(world: World) -> None:
    """Envoy's clusters keep their cells: a swap of names would serve Germans in America, and nobody would notice."""
    swapped = {
        "eu-ams: {country: NL,": "eu-ams: {country: NL, cluster: us-iad,",
        "us-iad: {country: US,": "us-iad: {country: US, cluster: eu-ams,",
    }
    text = world.text
    for old, new in swapped.items():
        assert old in text
        text = text.replace(old, new)
    world.policy.write_text(text)
    loaded = combine(world.files, read_parts(world.files, {world.policy}, world.loaded), world.loaded)
    with pytest.raises(ConfigurationError, match="new or elsewhere \\(eu-ams, us-iad\\)"):
        check_same_envoy(world.loaded.compiled, loaded.compiled)


@pytest.mark.slow
def test_what_envoy_need_not_know_may_change(world: World) -> None:
    for old, new in (("mechanisms: {dpf: true}", "mechanisms: {}"), ("rtt_ms: 14", "rtt_ms: 15")):
        check_same_envoy(world.loaded.compiled, world.changed(old, new).compiled)


@pytest.mark.slow
def test_a_forced_version_counts_at_the_start_only(world: World) -> None:
    """Else an old bundle could come back whenever somebody sends it again."""
    files = replace(world.files, policy=replace(world.files.policy, forced_version=1))
    world.policy.write_text(world.text.replace("  version: 1\n", "  version: 5\n"))
    later = combine(files, read_parts(files, {world.policy}, world.loaded), world.loaded)
    world.policy.write_text(world.text)
    _, old = read_policy(files.policy, None)
    with pytest.raises(RollbackError, match="a way back"):
        combine(files, Parts(policy=old), later)


@pytest.mark.slow
def test_a_candidate_holds_up_no_policy(world: World) -> None:
    assert world.loaded.shadow is not None
    without = world.changed("  class: {header: x-data-class}", "  # nothing is declared")
    assert without.shadow is None
    world.shadow.unlink()
    parts = read_parts(world.files, {world.shadow}, world.loaded)
    assert combine(world.files, parts, world.loaded).shadow is None
    with pytest.raises(Exception, match="does not exist"):
        load_configuration(world.files)


@pytest.mark.slow
def test_a_candidate_that_reads_what_is_not_sent_is_refused(world: World) -> None:
    world.shadow.write_text(world.text.replace("class: {header: x-data-class}", "class: {header: x-other}"))
    with pytest.raises(ConfigurationError, match=r"would not see what it reads.*x-other"):
        combine(world.files, read_parts(world.files, {world.shadow}, world.loaded), world.loaded)
