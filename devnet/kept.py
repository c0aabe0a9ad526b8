"""
What a kept devnet remembers of itself, so that it can go on: `devnet.json` in its folder.

Everything else is where it is anyway: the settlement chain in one file, each node in its folder, the agents' money and
positions on the chain, their keys in the code.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from genesis.errors import Invalid
from node.config import DEFAULT_PORT
from node.localnet import free_ports

FILE = "devnet.json"
VERSION = 1
VALIDATORS = 4
"""The fewest of which one may fail."""
FILE_BYTES_MAX = 65_536
PORT_MAX = 65_535
SETTLEMENT_FILE = "settlement.sqlite"


@dataclass(frozen=True, slots=True)
class Kept:
    """
    What a devnet is, from its first start on.

    seed: of agents and price model. feed: recorded ticks, None for the model; speed: how much faster than life they go.
    validators: nodes, each a process. ports: of their gateways. fed_ms: how much of the feed has been played.
    height: of the newest block that was seen certified.
    """

    seed: int = 7
    feed: str | None = None
    speed: int = 1_000
    validators: int = VALIDATORS
    ports: tuple[int, ...] = tuple(range(DEFAULT_PORT, DEFAULT_PORT + VALIDATORS))
    fed_ms: int = 0
    height: int = 0

    @property
    def feed_path(self) -> Path | None:
        return Path(self.feed) if self.feed else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for; None: nothing was said. port: of the first gateway, 0 takes free ones."""

    seed: int | None = None
    feed: Path | None = None
    speed: int | None = None
    validators: int | None = None
    port: int | None = None

    def new(self) -> Kept:
        """A devnet that begins now. Raises Invalid "bad_port"."""
        usual = Kept()
        count = self.validators or usual.validators
        port = DEFAULT_PORT if self.port is None else self.port
        if port + count - 1 > PORT_MAX:
            raise Invalid(f"{count} validators need ports up to {port + count - 1}; name a lower --port.", "bad_port")
        return Kept(
            seed=usual.seed if self.seed is None else self.seed,
            feed=str(self.feed.resolve()) if self.feed else None,
            speed=self.speed or usual.speed,
            validators=count,
            ports=tuple(free_ports(count) if port == 0 else range(port, port + count)),
        )

    def differs(self, kept: Kept) -> str | None:
        """The first option that says something else than the folder."""
        said = {
            "seed": (self.seed, kept.seed),
            "feed": (str(self.feed.resolve()) if self.feed else None, kept.feed),
            "speed": (self.speed, kept.speed),
            "validators": (self.validators, kept.validators),
            "port": (self.port, kept.ports[0]),
        }
        for name, (wanted, is_) in said.items():
            if wanted is not None and wanted != is_:
                return f"--{name} {wanted}, and the folder's devnet has {is_}"
        return None


def take_up(folder: Path | None, wanted: Wanted, resume: bool) -> Kept:
    """
    The devnet of a folder, or a new one.

    Args:
        folder: None for one that nobody keeps. resume: whether the folder must have one.

    Raises:
        Invalid: "not_found", "exists", "damaged", "newer", "other_options" or "bad_port", with what to do instead.
    """
    kept = _read(folder) if folder is not None else None
    if kept is None:
        if resume:
            raise Invalid(f"{folder} holds no devnet; `tenor devnet --keep {folder}` makes one there.", "not_found")
        if folder is not None and folder.is_dir() and any(folder.iterdir()):
            raise Invalid(f"{folder} holds other things, and no devnet; name a new folder.", "exists")
        return wanted.new()
    assert folder is not None, "it was read from there"
    difference = wanted.differs(kept)
    if difference is not None:
        raise Invalid(f"{difference}; leave the option away, or name another folder.", "other_options")
    missing = [path for path in _parts(folder, kept) if not path.exists()]
    if missing:
        raise Invalid(f"{missing[0]} is missing; restore it, or begin in another folder.", "damaged")
    return kept


def keep(folder: Path, kept: Kept) -> None:
    """Write it, whole or not at all."""
    partial = folder / f"{FILE}.partial"
    partial.write_text(json.dumps({"version": VERSION, **asdict(kept)}) + "\n")
    partial.replace(folder / FILE)


def _parts(folder: Path, kept: Kept) -> list[Path]:
    """What every start but the first finds there."""
    names = [""] if kept.validators == 1 else [f"validator-{number}" for number in range(kept.validators)]
    needed = ("node.toml", "genesis.code", "store")
    return [folder / SETTLEMENT_FILE, *(folder / name / part for name in names for part in needed)]


def _read(folder: Path) -> Kept | None:
    path = folder / FILE
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.", "damaged") from error
    try:
        said: dict[str, Any] = json.loads(data)
        version = said.pop("version")
        if type(version) is not int:
            raise TypeError("its version is no number")
        if version > VERSION:
            raise Invalid(f"{path} is of version {version}, this Tenor knows {VERSION}; use a newer Tenor.", "newer")
        kept = Kept(**{**said, "ports": tuple(said["ports"])})
        if any(type(getattr(kept, one.name)) is not int for one in fields(kept) if one.type == "int"):
            raise TypeError("a number is none")
        if not all(type(port) is int for port in kept.ports) or len(kept.ports) != kept.validators:
            raise ValueError("there is a port for each validator")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Invalid(f"{path} is damaged ({error}); restore it, or begin in another folder.", "damaged") from error
    return kept
