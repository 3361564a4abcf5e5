import os
import subprocess
from pathlib import Path

import pytest

from extproc.notes.errors import KeyFileError, MalformedError
from extproc.notes.keys import add_vkey, create_key, destroy_key, generate_key, load_key, load_or_create_key, load_vkeys


def test_a_key_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.pem"
    made = load_or_create_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_create_key(path).public == made.public
    with pytest.raises(KeyFileError, match="never overwritten"):
        create_key(path)
    for mode in (0o640, 0o604, 0o610, 0o666):
        path.chmod(mode)
        with pytest.raises(KeyFileError, match=f"mode {mode:04o}.*chmod 600"):
            load_key(path)


def test_a_mounted_secret_is_a_link_and_is_judged_by_what_it_leads_to(tmp_path: Path) -> None:
    made = create_key(tmp_path / "real.pem")
    (tmp_path / "link.pem").symlink_to("real.pem")
    assert load_key(tmp_path / "link.pem").public == made.public
    (tmp_path / "real.pem").chmod(0o644)
    with pytest.raises(KeyFileError, match="0644"):
        load_key(tmp_path / "link.pem")


def test_what_is_no_key_is_refused_without_quoting_it(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(KeyFileError, match="cannot be opened"):
        load_key(path)
    path.write_text("hush")
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="not an unencrypted private key") as caught:
        load_key(path)
    assert "hush" not in str(caught.value)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(KeyFileError, match="not a regular file"):
        load_key(tmp_path / "pipe")


def test_keys_of_openssl_load_if_they_are_ed25519(tmp_path: Path) -> None:
    for algorithm, good in (("ed25519", True), ("x25519", False)):
        path = tmp_path / f"{algorithm}.pem"
        path.touch(0o600)
        subprocess.run(["openssl", "genpkey", "-algorithm", algorithm, "-out", path], check=True)  # noqa: S607
        path.chmod(0o600)
        if good:
            assert len(load_key(path).public) == 32
        else:
            with pytest.raises(KeyFileError, match="not an Ed25519"):
                load_key(path)


def test_a_key_shows_only_its_public_half() -> None:
    key = generate_key()
    assert repr(key) == f"SigningKey(public={key.public.hex()})"


def test_vkey_files_grow_by_new_keys_only(tmp_path: Path) -> None:
    path = tmp_path / "log.vkey"
    one, two = generate_key().verifier("log"), generate_key().verifier("log")
    for key in (one, two, one):
        add_vkey(path, key)
    assert load_vkeys(path) == (one, two)
    path.write_text("nonsense\n")
    with pytest.raises(MalformedError, match=r"log.vkey:1: verifier key"):
        load_vkeys(path)
    path.write_text("")
    with pytest.raises(MalformedError, match="no verifier key"):
        load_vkeys(path)


def test_a_folder_that_others_may_write_holds_no_key(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    path = folder / "signing.pem"
    with pytest.raises(KeyFileError, match="keys: cannot be opened"):
        create_key(path)
    folder.mkdir()
    folder.chmod(0o775)
    with pytest.raises(KeyFileError, match="mode 0775 lets others replace the key in it; chmod go-w"):
        create_key(path)
    assert not path.exists()
    folder.chmod(0o755)
    create_key(path)
    (tmp_path / "link.pem").symlink_to(path)
    load_key(tmp_path / "link.pem")
    folder.chmod(0o757)
    for place in (path, tmp_path / "link.pem"):
        with pytest.raises(KeyFileError, match="mode 0757"):
            load_key(place)


def test_in_a_folder_for_everybody_the_owner_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in /tmp, and in the root of a mounted secret: nobody replaces a file of another, but anybody may be first."""
    path = tmp_path / "signing.pem"
    tmp_path.chmod(0o1777)
    made = create_key(path)
    assert load_key(path).public == made.public
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(KeyFileError, match="belongs to another user"):
        load_key(path)


def test_a_destroyed_key_is_overwritten_where_it_lay(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    create_key(path)
    os.link(path, tmp_path / "same bytes")
    length = path.stat().st_size
    destroy_key(path)
    assert not path.exists()
    assert (tmp_path / "same bytes").read_bytes() == bytes(length)
