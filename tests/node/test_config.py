"""Configuration: file over defaults, flags over file, and errors that name key, place and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from genesis.errors import Invalid
from node.config import Config, GatewayConfig, load, render


def write(folder: Path, text: str) -> Path:
    path = folder / "tenor.toml"
    path.write_text(text)
    return path


def test_no_file_gives_defaults() -> None:
    assert load(None) == Config()


def test_file_over_defaults_and_flags_over_file(tmp_path: Path) -> None:
    path = write(tmp_path, '[gateway]\nport = 1\nhost = "0.0.0.0"\n')
    assert load(path).gateway == GatewayConfig(port=1, host="0.0.0.0")
    assert load(path, {"gateway.port": "2"}).gateway == GatewayConfig(port=2, host="0.0.0.0")


def test_relative_paths_are_taken_from_the_files_folder(tmp_path: Path) -> None:
    path = write(tmp_path, '[node]\nfolder = "data"\n[keys]\nvalidator = "/abs/key.json"\n')
    assert load(path).node.folder == tmp_path / "data"
    assert load(path).keys.validator == Path("/abs/key.json")


def test_rendered_configuration_reads_back_equal(tmp_path: Path) -> None:
    config = load(
        None, {"node.folder": str(tmp_path / 'a "quoted" \\ name'), "gateway.port": "9", "node.log_format": "json"}
    )
    again = load(write(tmp_path, render(config)))
    assert (again.node.folder, again.gateway, again.sequencer) == (config.node.folder, config.gateway, config.sequencer)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[gateway]\nport = 70000", r"gateway\.port in .*tenor\.toml is 70000; allowed is 0 to 65535"),
        ('[gateway]\nport = "80"', r"gateway\.port in .* is '80'"),
        ("[gateway]\nport = true", r"gateway\.port in .* is True"),
        ('[node]\nlog_level = "loud"', r"node\.log_level .* allowed is debug or info or warning or error"),
        ('[node]\nfolder = ""', r"node\.folder .* allowed is a path"),
        ("[gateway]\nprot = 1", r"gateway\.prot .*did you mean gateway\.port\?"),
        ("[gatway]\nport = 1", r"\[gatway\] .*did you mean gateway\?"),
        ("port = 1", r"\[port\] .* is no section"),
        ("[gateway\n", r"tenor\.toml is not TOML"),
    ],
)
def test_errors_name_key_place_and_remedy(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        load(write(tmp_path, text))


@pytest.mark.parametrize(("name", "text"), [("gateway.port", "x"), ("gateway.nothing", "1"), ("nowhere", "1")])
def test_flags_are_checked_alike(name: str, text: str) -> None:
    with pytest.raises(Invalid, match=rf"{name} in the command line"):
        load(None, {name: text})


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="tenor node init"):
        load(tmp_path / "none.toml")
