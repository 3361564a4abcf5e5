"""A sidecar that cannot be trusted to decide does not start, and says where and what to mend."""

import socket

import pytest
from support.sidecar import Setup

from extproc.cli.main import main

pytestmark = pytest.mark.slow


def test_an_invalid_policy_is_refused_with_its_place(setup: Setup) -> None:
    text = setup.policy.read_text()
    line = next(i for i, row in enumerate(text.splitlines(), start=1) if "country: NL" in row)
    setup.policy.write_text(text.replace("country: NL", "country: EU"))
    code, said = setup.refused()
    assert code == 78
    assert f"{setup.policy}:{line}:" in said
    assert "Mend:" in said


def test_a_missing_policy_is_refused(setup: Setup) -> None:
    setup.policy.unlink()
    code, said = setup.refused()
    assert code == 78
    assert f"{setup.policy}: the file does not exist" in said


def test_a_missing_geo_database_is_refused(setup: Setup) -> None:
    setup.geo.unlink()
    code, said = setup.refused()
    assert code == 78
    assert str(setup.geo) in said


def test_a_corrupt_geo_database_is_refused(setup: Setup) -> None:
    setup.geo.write_bytes(setup.geo.read_bytes()[:-200])
    code, said = setup.refused()
    assert code == 78
    assert str(setup.geo) in said


def test_a_policy_that_reads_geoip_needs_a_database(setup: Setup) -> None:
    code, said = setup.refused(without="--geo-db")
    assert code == 78
    assert "--geo-db" in said


def test_a_missing_override_file_is_refused_because_an_order_may_be_in_it(setup: Setup) -> None:
    setup.overrides.unlink()
    code, said = setup.refused()
    assert code == 78
    assert f"{setup.overrides}:1:1: the file does not exist" in said


def test_an_override_file_of_which_only_the_beginning_was_written_is_refused(setup: Setup) -> None:
    setup.overrides.write_text("apiVersion: situs/v1\n")
    code, said = setup.refused()
    assert code == 78
    assert f"{setup.overrides}:1:" in said
    assert "overrides" in said


def test_a_key_that_others_may_read_is_refused(setup: Setup) -> None:
    setup.key.write_text("not a key\n")
    setup.key.chmod(0o644)
    code, said = setup.refused()
    assert code == 78
    assert str(setup.key) in said


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        ("unix:/nowhere/at/all/s.sock", "/nowhere/at/all does not exist"),
        ("unix:s.sock", "absolute"),
        ("s.sock", "unix:/path or host:port"),
    ],
)
def test_an_address_that_is_none_is_refused_with_the_mend(setup: Setup, listen: str, said: str) -> None:
    code, words = setup.refused("--listen", listen)
    assert code == 78
    assert said in words


def test_an_admin_address_that_is_taken_is_refused(setup: Setup) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, said = setup.refused("--admin", f"127.0.0.1:{taken.getsockname()[1]}")
    assert code == 78
    assert "--admin" in said


def test_an_address_that_cannot_be_bound_is_refused(setup: Setup) -> None:
    code, said = setup.refused("--listen", "203.0.113.1:1")
    assert code == 78
    assert "203.0.113.1:1" in said


def test_a_place_that_takes_no_log_is_told_with_the_mend(setup: Setup) -> None:
    (setup.root / "file").write_text("")
    code, said = setup.refused("--log", str(setup.root / "file" / "log"))
    assert code == 74  # not 78: where the disk was full, starting anew may help
    assert f"{setup.root / 'file' / 'log'}" in said
    assert "Mend: make room" in said


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--key-hours", "-1"), ("--key-hours", "nan"), ("--key-hours", "0.00001"), ("--drain", "-1"),
        ("--drain", "inf"), ("--disk-low", "nan"), ("--disk-full", "-1"), ("--poll", "0"),
    ],
)  # fmt: skip
def test_a_number_that_makes_no_sense_is_refused_with_the_mend(
    capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--policy", "p", "--log", "l", "--key", "k", option, value])
    assert ended.value.code == 1
    assert "Mend: give" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named_with_the_mend(setup: Setup) -> None:
    code, said = setup.refused("--witnesses", "/nowhere/witnesses.policy")
    assert code == 78
    assert "/nowhere/witnesses.policy: No such file or directory. Mend:" in said


def test_shipping_without_a_place_for_this_region_is_refused(setup: Setup) -> None:
    config = setup.root / "shipping.yaml"
    config.write_text(f'apiVersion: situs/v1\nregions:\n  us-east: {{to: "{setup.root / "store"}"}}\n')
    code, said = setup.refused("--ship", str(config))
    assert code == 78
    assert "Mend: add 'eu-fra:'" in said
    code, said = setup.refused("--ship", "/nowhere/shipping.yaml")
    assert code == 78
    assert "/nowhere/shipping.yaml" in said
