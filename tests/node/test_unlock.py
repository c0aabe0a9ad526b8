"""Where a key's password comes from when nobody is there to type it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from genesis.devkeys import development_address
from genesis.errors import Invalid
from node.cli.options import key_password
from node.log import silence
from node.unlock import CREDENTIAL, CREDENTIALS_FOLDER, VARIABLE, unattended
from tests.node.command import tenor


def test_a_file_comes_before_a_credential_and_that_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, credentials = tmp_path / "validator.password", tmp_path / "credentials"
    assert unattended(file) is None
    monkeypatch.setenv(VARIABLE, "of the environment")
    credentials.mkdir()
    monkeypatch.setenv(CREDENTIALS_FOLDER, str(credentials))
    assert unattended(file) == "of the environment"
    assert VARIABLE not in os.environ  # no child process sees it
    (credentials / CREDENTIAL).write_text("of the unit\n")
    assert unattended(file) == "of the unit"
    file.write_text("of the file\nnot this\n")
    assert unattended(file) == "of the file"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(Invalid, match="cannot be read"):
        unattended(file)


def test_without_any_of_them_and_without_a_terminal_the_error_names_all(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=f"{CREDENTIAL}, nor in {VARIABLE}") as error:
        key_password(tmp_path / "password", tmp_path / "key.json")
    assert error.value.code == "bad_password"


def test_a_signer_starts_with_the_password_of_its_unit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "signer"
    made = tenor(capsys, "signer", "init", folder, "--dev-key", 3, "--json").result
    assert bytes.fromhex(made["validator"][2:]) == development_address(3)
    secret = folder / "validator.password"
    assert secret.stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv(CREDENTIALS_FOLDER, str(tmp_path))
    (tmp_path / CREDENTIAL).write_text("wrong\n")
    secret.rename(tmp_path / "kept")
    refused = tenor(capsys, "signer", "run", folder, "--json")
    assert (refused.code, refused.result["code"]) == (1, "bad_password")
    (tmp_path / "kept").rename(tmp_path / CREDENTIAL)
    monkeypatch.setattr("trio.run", lambda *_: None)  # what follows waits for a signal
    assert tenor(capsys, "signer", "run", folder, "--json").result["newest_view"] == 0
    silence()  # it logs to this test's stderr
