"""
A node's configuration: defaults, then a TOML file, then flags. What is not written down here is not configurable.

What all nodes of a chain must agree on (block time, limits, gas) is in its ChainSpec, never here. Every error names the
key, where it stands, and what is allowed instead; an unknown key is an error, with the nearest known one.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from genesis.errors import Invalid

DEFAULT_PORT = 8645
"""JSON-RPC over HTTP and WebSocket; next to Ethereum's 8545, so that both run on one machine."""
FILE_BYTES_MAX = 65_536
NOWHERE = "off"


def _whole(default: int, low: int, high: int, unit: str) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "unit": unit})


def _choice(default: str, *allowed: str) -> Any:
    return field(default=default, metadata={"allowed": allowed})


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """folder: holds the store, the socket and the settlement file; relative paths are taken from the file's folder."""

    folder: Path = Path("tenor-data")
    chain: str = "devnet"
    """A preset's name, or the path of a chain specification."""
    log_level: str = _choice("info", "debug", "info", "warning", "error")
    log_format: str = _choice("human", "human", "json")


@dataclass(frozen=True, slots=True)
class KeysConfig:
    """
    validator: keystore file of the block-signing key. password_file: its password, first line; without that file it is
    a systemd credential or in the environment (`unlock`). signer: socket of `tenor signer run`, which holds the key
    instead; "off" for none. next: keystore file, under the same password, of the key that signs once it is in the set
    instead; "off" for none.
    """

    validator: Path = Path("validator.json")
    password_file: Path = Path("validator.password")
    signer: Path = Path(NOWHERE)
    next: Path = Path(NOWHERE)


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    host: str = "127.0.0.1"
    port: int = _whole(DEFAULT_PORT, 0, 65_535, "TCP port; 0 takes a free one")
    body_bytes_max: int = _whole(2 << 20, 1 << 10, 64 << 20, "bytes of one request or WebSocket message")
    batch_calls_max: int = _whole(100, 1, 10_000, "calls in one JSON-RPC batch")
    depth_max: int = _whole(16, 4, 64, "levels of nesting in a request")
    connections_max: int = _whole(10_000, 1, 100_000, "open connections, as far as the system gives files")
    subscriptions_max: int = _whole(64, 1, 10_000, "subscriptions of one connection")
    threads: int = _whole(2, 1, 64, "threads that recover signers")
    read_calls_per_s: int = _whole(20_000, 1, 10_000_000, "reads a second, of all clients")
    read_calls_address_per_s: int = _whole(2_000, 1, 10_000_000, "reads a second of one address")
    read_gas_per_s: int = _whole(200_000_000, 1_000_000, 10**12, "gas of tenor_call and tenor_simulate a second")
    read_gas_address_per_s: int = _whole(50_000_000, 1_000_000, 10**12, "the same, of one address")
    metrics: str = _choice("local", "local", "all", "off")
    """Who is shown /metrics and /status: this machine, everybody, nobody."""


@dataclass(frozen=True, slots=True)
class SequencerConfig:
    batch_interval_ms: int = _whole(5, 1, 1_000, "milliseconds between batches")
    batch_transactions_max: int = _whole(2_000, 1, 100_000, "transactions of a batch")
    mempool_transactions_max: int = _whole(50_000, 100, 10_000_000, "transactions waiting")
    checkpoint_blocks: int = _whole(40, 1, 100_000, "blocks between checkpoints")


@dataclass(frozen=True, slots=True)
class SyncConfig:
    snapshot_blocks: int = _whole(
        240, 1, 1_000_000_000, "blocks behind, from which on a start takes a snapshot; ten times as many while it runs"
    )
    keep_blocks: int = _whole(0, 0, 1_000_000_000, "newest blocks to keep; 0 keeps all")
    keep_mib: int = _whole(0, 0, 1 << 30, "MiB of blocks to keep, about, all else of the folder apart; 0 is no bound")


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """
    listen: multiaddress of TCP where other validators come in, as /ip4/0.0.0.0/tcp/26600; "off" on a chain of one.
    peers: a file, a line for each validator: its address, and its node's multiaddress, ending in /p2p/ and the name.
    key: file of this node's secret, 32 bytes in hexadecimal digits; not the validator's. followers: whether nodes that
    are not on the list may come in to ask for blocks and snapshots.
    """

    listen: str = NOWHERE
    peers: Path = Path("peers")
    key: Path = Path("node.key")
    followers: str = _choice("on", "on", "off")


@dataclass(frozen=True, slots=True)
class SettlementConfig:
    """file: the local settlement chain's SQLite file, shared by all nodes of the chain."""

    kind: str = _choice("local", "local")
    file: Path = Path("settlement.sqlite")
    block_time_ms: int = _whole(500, 50, 60_000, "milliseconds between blocks of the local chain")


@dataclass(frozen=True, slots=True)
class Config:
    node: NodeConfig = field(default_factory=NodeConfig)
    keys: KeysConfig = field(default_factory=KeysConfig)
    gateway: GatewayConfig = field(default_factory=GatewayConfig)
    sequencer: SequencerConfig = field(default_factory=SequencerConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    sync: SyncConfig = field(default_factory=SyncConfig)
    settlement: SettlementConfig = field(default_factory=SettlementConfig)


SECTIONS: dict[str, type] = {
    "node": NodeConfig,
    "keys": KeysConfig,
    "gateway": GatewayConfig,
    "sequencer": SequencerConfig,
    "network": NetworkConfig,
    "sync": SyncConfig,
    "settlement": SettlementConfig,
}


def load(path: Path | None, flags: Mapping[str, str] | None = None) -> Config:
    """
    Return the configuration.

    Args:
        path: a TOML file, None for defaults; relative paths in it are taken from its folder.
        flags: "gateway.port" → text as typed on the command line; relative paths are taken from the working folder.

    Raises:
        Invalid: "bad_config", naming key, place and what is allowed.
    """
    values: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
    if path is not None:
        for section, table in _read(path).items():
            if section not in SECTIONS or not isinstance(table, dict):
                raise _bad(
                    f"[{section}] in {path} is no section", "name one of " + ", ".join(SECTIONS) + _near(section)
                )
            for key, value in table.items():
                name = f"{section}.{key}"
                values[section][key] = _value(name, value, str(path), path.parent)
    for name, text in (flags or {}).items():
        section, _, key = name.partition(".")
        values.setdefault(section, {})[key] = _value(name, _parse(name, text), "the command line", Path())
    return Config(**{name: kind(**values[name]) for name, kind in SECTIONS.items()})


def render(config: Config) -> str:
    """Return the TOML text of a configuration, every key with what it may be beside it; `load` reads it back equal."""
    lines = []
    for section, kind in SECTIONS.items():
        lines.append(f"[{section}]")
        for entry in fields(kind):
            value = getattr(getattr(config, section), entry.name)
            text = str(value) if isinstance(value, int) else '"' + _escape(str(value)) + '"'
            lines.append(f"{entry.name} = {text}  # {_allowed(section, entry.name)}")
        lines.append("")
    return "\n".join(lines)


def _read(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise _bad(f"There is no file {path}", "make one with `tenor node init`") from error
    except OSError as error:
        raise _bad(f"{path} cannot be read: {error.strerror}", "name a readable file") from error
    if len(data) > FILE_BYTES_MAX:
        raise _bad(f"{path} has {len(data)} bytes", f"at most {FILE_BYTES_MAX} are allowed")
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(f"{path} is not TOML: {error}", "correct it there") from error


def _value(name: str, value: object, place: str, folder: Path) -> Any:
    """Check one value. place: where it stands, for the message; folder: what a relative path is relative to."""
    section, _, key = name.partition(".")
    kind = SECTIONS.get(section)
    known = [] if kind is None else [entry.name for entry in fields(kind)]
    if kind is None or key not in known:
        every = [f"{s}.{entry.name}" for s, k in SECTIONS.items() for entry in fields(k)]
        raise _bad(f"{name} in {place} is no key", "name a known one" + _near(name, every))
    wanted = get_type_hints(kind)[key]
    limits = next(entry for entry in fields(kind) if entry.name == key).metadata
    if wanted is int:
        right = type(value) is int and limits["low"] <= value <= limits["high"]
    else:
        right = type(value) is str and value != "" and value in limits.get("allowed", (value,))
    if not right:
        raise _bad(f"{name} in {place} is {value!r}", f"allowed is {_allowed(section, key)}")
    if wanted is Path:
        assert isinstance(value, str)
        return Path(NOWHERE) if value == NOWHERE else folder / Path(value).expanduser()
    return value


def _parse(name: str, text: str) -> object:
    """Text of a flag as TOML would type it: a whole number where one is expected, else text."""
    section, _, key = name.partition(".")
    wanted = get_type_hints(SECTIONS[section]).get(key) if section in SECTIONS else None
    if wanted is int:
        try:
            return int(text)
        except ValueError:
            return text
    return text


def _allowed(section: str, key: str) -> str:
    entry = next(entry for entry in fields(SECTIONS[section]) if entry.name == key)
    assert entry.default is not MISSING, "every key has a default"
    if "low" in entry.metadata:
        return f"{entry.metadata['low']} to {entry.metadata['high']}, {entry.metadata['unit']}"
    if "allowed" in entry.metadata:
        return " or ".join(entry.metadata["allowed"])
    if entry.default == Path(NOWHERE):
        return f'a path or "{NOWHERE}"'
    return "a path" if isinstance(entry.default, Path) else "text"


def _near(word: str, words: list[str] | None = None) -> str:
    close = difflib.get_close_matches(word, list(SECTIONS) if words is None else words, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _bad(what: str, instead: str) -> Invalid:
    return Invalid(f"{what}; {instead}.", "bad_config")
