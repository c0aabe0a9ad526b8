"""
Every metric there is, and the text that Prometheus reads.

Units are seconds and bytes, what only grows ends in `_total`, points in time are Unix seconds, so that an age is
`time() - …`: https://prometheus.io/docs/practices/naming/.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Any, Literal

from node.watch.samples import Sample

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper ends of a histogram's buckets, seconds; above the last one there is another."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Kind = Literal["gauge", "counter", "histogram"]

METRICS: dict[str, tuple[Kind, str]] = {
    "tenor_height": ("gauge", "Newest block that has come to each stage."),
    "tenor_certificate_timestamp_seconds": ("gauge", "Time of the newest certified block."),
    "tenor_view": ("gauge", "View in which consensus is."),
    "tenor_leads": ("gauge", "1 while this node leads."),
    "tenor_leader": ("gauge", "1 for the validator that leads."),
    "tenor_not_voting": ("gauge", "1 for each reason for which this node's votes do not count."),
    "tenor_votes_total": ("counter", "Votes cast."),
    "tenor_failed_views": ("gauge", "Views in a row that came to nothing."),
    "tenor_evidence": ("gauge", "Validators' contradictions seen."),
    "tenor_peers": ("gauge", "Nodes connected."),
    "tenor_peers_spare": ("gauge", "Validators connected beyond those that a quorum needs; none on a chain of one."),
    "tenor_peers_banned": ("gauge", "Nodes banned now."),
    "tenor_bans_total": ("counter", "Bans of nodes."),
    "tenor_offences_total": ("counter", "What other nodes did wrong."),
    "tenor_connections_refused_total": ("counter", "Connections of other nodes not let in."),
    "tenor_dial_failures_total": ("counter", "Attempts to reach another node that failed."),
    "tenor_network_bytes_total": ("counter", "Bytes to and from other nodes, on the wire."),
    "tenor_catch_up_phase": ("gauge", "1 for what a node does to come level, or that it is."),
    "tenor_catch_up_target_height": ("gauge", "Height that enough validators said to have when last asked."),
    "tenor_catch_up_pieces": ("gauge", "Pieces of the newest snapshot: those here, and all."),
    "tenor_catch_up_bytes_total": ("counter", "Bytes of blocks and snapshots that came."),
    "tenor_catch_up_bytes_per_second": ("gauge", "The same over the last seconds."),
    "tenor_catch_up_peers": ("gauge", "Nodes asked for them at a time."),
    "tenor_catch_up_lies_total": ("counter", "Nodes whose answers were disproven."),
    "tenor_mempool_transactions": ("gauge", "Transactions that wait for a batch or for the compiler."),
    "tenor_mempool_bytes": ("gauge", "What they will take in blocks."),
    "tenor_transactions_total": ("counter", "Transactions executed here, by the status of their receipt."),
    "tenor_reverted_receipts_total": ("counter", "Receipts that came to nothing."),
    "tenor_gas_total": ("counter", "Gas used, hooks included."),
    "tenor_batch_seconds": ("histogram", "Executing a batch, as leader."),
    "tenor_block_seconds": ("histogram", "Executing a block: another validator's, or an own one's batches and seal."),
    "tenor_sync_seconds": ("histogram", "Writing to the store until the disk has it."),
    "tenor_engine_jobs": ("gauge", "Jobs and reads that wait for the engine, the running one included."),
    "tenor_hooks_waiting": ("gauge", "Hooks due now, put off after a failure, parked without money."),
    "tenor_oracle_timestamp_seconds": ("gauge", "Time of a feed's price; 0 before the first."),
    "tenor_oracle_age_max_seconds": ("gauge", "Age at which a feed's price counts no more."),
    "tenor_unposted_timestamp_seconds": ("gauge", "Time of the oldest certified block that settlement could have."),
    "tenor_settlement_block_seconds": ("gauge", "Between blocks of the settlement chain."),
    "tenor_posting_balance": ("gauge", "What the poster holds of the settlement chain's own coin; none if it is free."),
    "tenor_posting_runway_seconds": ("gauge", "How long that lasts, if this node posts all; none if posting is free."),
    "tenor_disk_free_bytes": ("gauge", "Free where the node's folder is."),
    "tenor_disk_used_bytes": ("gauge", "Taken by the node's folder."),
    "tenor_disk_damaged_bytes": ("gauge", "Taken by damaged stores that a repair has left beside the new one."),
    "tenor_disk_slow": ("gauge", "1 while a sync takes longer than a second, and half a minute after."),
    "tenor_disk_days_left": ("gauge", "Until the disk is full as the folder has grown; +Inf while that is not known."),
    "tenor_store_checked_timestamp_seconds": ("gauge", "When the whole store was last read and found sound; 0 before."),
    "tenor_resident_bytes": ("gauge", "Memory in use, by process."),
    "tenor_open_files": ("gauge", "Open files and sockets, by process."),
    "tenor_open_files_max": ("gauge", "The most there can be."),
    "tenor_core_up": ("gauge", "1 while the core answers the gateway."),
    "tenor_gateway_connections": ("gauge", "Clients connected: without a request yet, idle, being answered."),
    "tenor_gateway_turned_away_total": ("counter", "Connections ended or not let in, the gateway being full."),
    "tenor_gateway_websockets": ("gauge", "WebSockets among the clients connected."),
    "tenor_gateway_subscriptions": ("gauge", "Subscriptions of WebSockets."),
    "tenor_gateway_requests_total": ("counter", "Requests by method."),
    "tenor_gateway_refusals_total": ("counter", "Requests answered with an error, by its code."),
}


def exposition(samples: Iterable[Sample]) -> str:
    """Prometheus' text format, version 0.0.4."""
    # 70 ms, which whoever is never scraped does not pay.
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
    from prometheus_client.exposition import generate_latest
    from prometheus_client.registry import Collector, CollectorRegistry

    made = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily, "histogram": HistogramMetricFamily}
    bounds = [*map(str, BOUNDS_S), "+Inf"]
    families: dict[str, Any] = {}
    for name, labels, value in samples:
        kind, text = METRICS[name]
        if name not in families:
            families[name] = made[kind](name, text, labels=tuple(labels))
        if kind == "histogram":
            counts, total_s = value
            families[name].add_metric((), list(zip(bounds, accumulate(counts), strict=True)), total_s)
        else:
            families[name].add_metric(tuple(labels.values()), value)

    class Once(Collector):
        def collect(self) -> Iterable[Any]:
            return families.values()

    registry = CollectorRegistry()
    registry.register(Once())
    return generate_latest(registry).decode()
