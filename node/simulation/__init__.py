"""
The whole of consensus in a world of one's own: clock, network, disks and crashes drawn from a seed, replayed by it.

Read `scenario` (what a seed draws), `council` (which validators certify, and from when on), `disk`, `toy` and `ledger`
(what survives a crash), `member` (one node, life after life), `ear` (what arrives), `mouth` and `lies` (what the
byzantine say instead; `lies_leading`, `lies_forging`, `liars`), `watch` (what must hold), `world` (one seed from
beginning to end), `scheduler` (why a seed gives the same twice), `run` (many seeds, all cores).
What runs inside is the real `node.consensus.service` over the real `p2p.memory`.
"""
