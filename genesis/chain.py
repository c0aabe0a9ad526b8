"""
The chain's words in one place: import transactions, blocks, receipts and what passes to settlement from here.

Each stands in a file of its own: `transaction`, `header`, `block`, `receipt`, `settling`, `commitment`.
"""

from genesis.block import BLOCK_BYTES_MAX, Batch, Block, Body, Deployment, events_root, receipts_root, sign_block
from genesis.commitment import Commitment
from genesis.header import Header, commitment_span
from genesis.receipt import STAGES, Receipt, Stage, Status
from genesis.settling import (
    Certificate,
    InboxEntry,
    Vote,
    VoteKind,
    Withdrawal,
    WithdrawalProof,
    certify,
    check_certificate,
    prove_withdrawal,
    sign_vote,
    vote_digest,
    withdrawals_root,
)
from genesis.transaction import (
    AnyTransaction,
    Call,
    DeployTransaction,
    OrderClass,
    SignedTransaction,
    SourceTransaction,
    Transaction,
    UpgradeTransaction,
    decode,
    order_class,
    program_address,
    sign,
    transaction_id,
    unsigned,
    unsigned_bytes,
)

__all__ = [
    "BLOCK_BYTES_MAX",
    "STAGES",
    "AnyTransaction",
    "Batch",
    "Block",
    "Body",
    "Call",
    "Certificate",
    "Commitment",
    "DeployTransaction",
    "Deployment",
    "Header",
    "InboxEntry",
    "OrderClass",
    "Receipt",
    "SignedTransaction",
    "SourceTransaction",
    "Stage",
    "Status",
    "Transaction",
    "UpgradeTransaction",
    "Vote",
    "VoteKind",
    "Withdrawal",
    "WithdrawalProof",
    "certify",
    "check_certificate",
    "commitment_span",
    "decode",
    "events_root",
    "order_class",
    "program_address",
    "prove_withdrawal",
    "receipts_root",
    "sign",
    "sign_block",
    "sign_vote",
    "transaction_id",
    "unsigned",
    "unsigned_bytes",
    "vote_digest",
    "withdrawals_root",
]
