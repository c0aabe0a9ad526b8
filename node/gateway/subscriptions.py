"""
What is pushed: topics of the core, filtered for each subscription, serialised once for all that want everything.

A topic is asked of the core when a subscriber comes and given up with its last. A subscriber that does not read is cut
off with a reason rather than served late: what waits for it is bounded.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from genesis.errors import TenorError, Unavailable
from node.gateway.frames import SUBSCRIBE, UNSUBSCRIBE
from node.gateway.link import Link
from node.gateway.methods import TOPICS, BadParams, Parameter, hexadecimal, one_of
from node.gateway.wire import to_json
from node.watch.samples import Sample, sample

FILTER_VALUES_MAX = 1_024
FILTER_FIELDS_MAX = 8
HELD_MAX = 1_024

_hex = hexadecimal()


def criteria(value: object, name: str) -> dict[str, frozenset[object]]:
    """{field: value or array of values}; a member passes when each field named has one of its values; 0x… is bytes."""
    if type(value) is not dict or len(value) > FILTER_FIELDS_MAX:
        raise BadParams(f"{name} is an object of at most {FILTER_FIELDS_MAX} fields.")
    found = {}
    for key, wanted in value.items():
        values = wanted if isinstance(wanted, list) else [wanted]
        if len(values) > FILTER_VALUES_MAX or not all(type(v) in (str, int, bool) for v in values):
            raise BadParams(f"{name}.{key[:64]} is a text or whole number, or an array of up to {FILTER_VALUES_MAX}.")
        found[key] = frozenset(_hex(v, f"{name}.{key[:64]}") if str(v).startswith("0x") else v for v in values)
    return found


SUBSCRIBE_PARAMETERS = (Parameter("topic", one_of(*TOPICS)), Parameter("filter", criteria, {}))
UNSUBSCRIBE_PARAMETERS = (Parameter("subscription", lambda value, _: value),)

_numbers = itertools.count(1)


@dataclass(eq=False, slots=True)
class Subscription:
    """
    One client's interest in a topic.

    deliver: takes one WebSocket message; must not wait. ended: told once that nothing more comes, and why.
    Notifications are held back until the client knows the subscription's id: none is lost, none comes too early.
    """

    topic: str
    wanted: dict[str, frozenset[object]]
    deliver: Callable[[str], None]
    ended: Callable[[str], None]
    id: str = field(default_factory=lambda: f"0x{next(_numbers):x}")
    held: list[tuple[int, str]] | None = field(default_factory=list)

    def push(self, sequence: int, text: str) -> None:
        if self.held is None:
            self.deliver(text)
        elif len(self.held) < HELD_MAX:
            self.held.append((sequence, text))
        else:
            self.ended(f"{HELD_MAX} notifications came before the subscription was answered")

    def announced(self, after: int) -> None:
        """The client was told id and sequence number; what is newer than that follows."""
        held, self.held = self.held or [], None
        for sequence, text in held:
            if sequence > after:
                self.deliver(text)


class Subscriptions:
    def __init__(self, link: Link) -> None:
        self._link = link
        self._by_topic: dict[str, dict[str, Subscription]] = {topic: {} for topic in TOPICS}
        self._tasks: set[asyncio.Task[None]] = set()
        link.on_push = self._push
        link.on_ended = self._end
        link.on_lost = self._lost

    async def add(self, subscription: Subscription) -> int:
        """Return the topic's present sequence number: the first push carries a higher one. Raises Unavailable."""
        self._by_topic[subscription.topic][subscription.id] = subscription
        try:
            # every subscriber asks: the answer is where the sequence stands, asking twice changes nothing in the core
            return int(await self._link.ask(SUBSCRIBE, subscription.topic))
        except TenorError:
            self.remove(subscription)
            raise

    def remove(self, subscription: Subscription) -> None:
        members = self._by_topic[subscription.topic]
        if members.pop(subscription.id, None) is not None and not members and self._link.connected:
            self._later(UNSUBSCRIBE, subscription.topic)

    def samples(self) -> Iterator[Sample]:
        for topic, members in self._by_topic.items():
            yield sample("tenor_gateway_subscriptions", len(members), topic=topic)

    def _push(self, topic: str, sequence: int, payload: Any) -> None:
        everything: str | None = None
        for subscription in list(self._by_topic[topic].values()):
            if not subscription.wanted:
                everything = everything or to_json(payload)
                body = everything
            else:
                chosen = _choose(payload, subscription.wanted)
                if not chosen:
                    continue
                body = to_json(chosen)
            subscription.push(
                sequence,
                f'{{"jsonrpc":"2.0","method":"tenor_subscription","params":{{"subscription":"{subscription.id}",'
                f'"topic":"{topic}","sequence":{sequence},"result":{body}}}}}',
            )

    def _end(self, topic: str, reason: str) -> None:
        members = self._by_topic[topic]
        for subscription in list(members.values()):
            subscription.ended(reason)
        members.clear()

    def _lost(self) -> None:
        """The next core counts anew; telling subscribers is honest, going on silently would hide a gap."""
        for topic in TOPICS:
            self._end(topic, "the node's core went away; subscribe again")

    def _later(self, method: str, topic: str) -> None:
        task = asyncio.get_running_loop().create_task(self._ask_quietly(method, topic))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask_quietly(self, method: str, topic: str) -> None:
        try:
            # someone may have come back in the meantime
            if not self._by_topic[topic]:
                await self._link.ask(method, topic)
        except Unavailable:
            pass  # a core that went away has forgotten the subscription as well
        except TenorError as error:
            self._end(topic, str(error))


def _choose(payload: Any, wanted: dict[str, frozenset[object]]) -> Any:
    """The payload, or of a list its members, that pass; None or [] when nothing does."""
    if isinstance(payload, list):
        return [member for member in payload if _passes(member, wanted)]
    return payload if _passes(payload, wanted) else None


def _passes(member: Any, wanted: dict[str, frozenset[object]]) -> bool:
    return isinstance(member, dict) and all(member.get(key) in values for key, values in wanted.items())
