"""
Where the kernel keeps what: byte offsets in scratch, in its own state memory and in the io memory it shares with the
host.

Scratch holds what lives within one call of the host; state holds what the chain has agreed on (program number 0 of
the state tree); io carries a batch in and receipts and events out. Offsets of scratch up to 111 and of a call frame
are also known to compiled programs.
"""

from __future__ import annotations

# Scratch: ambient context, read by every program
TIME = 0
HEIGHT = 8
GAP = 16
SIGNER = 24  # three words
WORLD = 48  # number; 0 is the real world
WORLD_WORDS = 6  # number, price factor (2), volatility factor (2), shift in ms
WORLD_BYTES = 8 * WORLD_WORDS
WORLD_PRICE = 56
WORLD_VOLATILITY = 72
WORLD_SHIFT = 88
CLASS = 96  # 0 trade, 1 post_only, 2 cancel
PHASE = 104

# Scratch: the kernel's own variables
CALL_DEPTH = 256  # frames on the stack
SAVEPOINTS_OPEN = 264
QUEUE_TOP = 272  # at-end entries queued
QUEUE_DONE = 280  # at-end entries that have begun
EVENTS_TOP = 288  # io address behind the last event
EVENTS_COUNT = 296
RECEIPTS_TOP = 304  # io address behind the last receipt
CURSOR = 312  # io address of the transaction at hand
POSITION = 320  # its place in the batch as given
STAGE = 336  # what a trap interrupts: one of the STAGE_… numbers
BATCH_GAS = 344  # used by this batch
BLOCK_GAS = 352  # used by this block
HOOK_GAS = 360  # left for hooks in this batch
EPOCH = 368  # outermost calls begun since the instance was made; stamps the at-end table
ORDER_TOP = 376  # transactions run in this batch
BATCH_NUMBER = 384
FEE_LOW = 400  # of the transaction at hand
FEE_HIGH = 408
RECEIPT = 440  # io address of the receipt being written
CALL_CURSOR = 448  # io address of the call at hand
CALLS_LEFT = 456
CALLS_DONE = 464  # calls that succeeded
FIRST_REASON = 472
HOOK_PROGRAM = 480  # the due entry at hand
HOOK_SELECTOR = 488
HOOK_KIND = 496
HOOK_ARGUMENT = 504
HOOK_TRIES = 512
BATCH_HOOK_GAS = 520  # used by hooks in this batch
SAVED_MARK = 552  # block mark while a simulation runs
SAVED_GAS = 560  # block gas
SAVED_HOOK_GAS = 568
BLOCK_HOOK_GAS = 576  # used by hooks in this block
EVENTS_LIMIT = 584  # events there may be when the outermost call at hand has ended
HOOK_PAYS = 592  # 1 when the hook at hand is paid from a purse
HOOK_MISSED = 432  # fills that the hook at hand was told it missed
BATCH_CLOSED = 624  # 1 once a transaction of the batch found no room: none after it runs
WITHDRAWALS = 544  # of the batch, some of them perhaps undone since
TRANSACTIONS = 528  # of the batch
COVERED = 600  # bytes of storage whose deposit the bank holds in this transaction or hook
HELD = 608  # 1 when the bank holds money for it
INVARIANTS_TOP = 632  # programs whose invariants wait for the end of the outermost call
OPENING_EVENTS = 536  # 1 until the first batch of a block: events of its opening stand before the batch's

# Scratch: limits from the chain's constants, written by the host before anything runs
LIMIT_DEPTH = 640
LIMIT_BLOCK_GAS = 648
LIMIT_HOOK_GAS = 656  # per hook
LIMIT_BATCH_HOOK_GAS = 664
LIMIT_HOOK_TRIES = 672
LIMIT_LANES = 680  # lanes other than 0 per signer
LIMIT_SUBSCRIBERS = 688  # per feed
LIMIT_TRANSACTION_GAS = 696
LIMIT_BATCH_GAS = 704
LIMIT_EVENTS = 720  # per outermost call
LIMIT_BLOCK_HOOK_GAS = 728
LIMIT_HOOK_PRICE = 736  # raw decimal per gas
LIMIT_BATCH_EVENTS = 744
LIMIT_PROGRAMS = 752  # of the chain, those waiting to be created included
LIMIT_DEPOSIT = 760  # raw decimal of the fee asset per byte of storage; 0: nobody pays for any
WITHDRAWN_EVENT = 712  # number of the bank's event that tells of a burnt withdrawal; negative: none

# Scratch: who pays for the transaction or hook at hand
PAYER = 768  # three words: its account, or its program's purse
PAYER_PRICE = 792  # raw decimal per gas

JOURNAL_BYTES_MAX = (
    7 << 28
)  # of the block journal for transactions; the rest up to 2 GiB is for hooks and the host's calls
UNPAID_PAGES = 64  # a transaction changes at most so many pages outside its own gas: sequence, fee

SIGNER_WORDS = 3
STACK_START = 1024
STACK_END = 0x1F0000
STACK_SLACK = 0x10000  # every call must leave this much for the callee's arguments and locals
ON_STACK = 0x200000  # one byte per program number
PROGRAMS_MAX = 65_536
SAVEPOINTS = 0x210000
SAVEPOINT_BYTES = 64
SAVEPOINTS_MAX = 1024
QUEUE = 0x220000
QUEUE_ENTRY_BYTES = 48  # program, selector, account (3), slot of the table
QUEUE_MAX = 4096
TABLE = 0x250000
TABLE_SLOTS = 8192  # u32 epoch, u32 index of the queue entry
KNOWN = 0x260000  # programs looked up lately: address (3 words), registry entry; zeroed before a batch or system call
KNOWN_BYTES = 32
KNOWN_MAX = 64
INVARIANTS = 0x270000  # one word each: number of a program entered in this outermost call that has invariants
INVARIANTS_MAX = 4096
INVARIANTS_PLACE = 0x280000  # u32 by program number: its place among them, true if it leads back here
SCRATCH_BYTES = 4 << 20

# Call frame (scratch), from the global `frame`
FRAME_SENDER = 0
FRAME_ME = 24
FRAME_NUMBER = 48
FRAME_ARGS = 56
FRAME_PREVIOUS = 64
FRAME_FLAGS = 72
FRAME_WORLD_SAVED = 80  # 1 when the words behind it hold the world to return to
FRAME_WORLD = 88
FRAME_SP = 136  # the stack pointer to return to
FRAME_BYTES = 144
ARGS_BYTES = 1024  # kept free for arguments and results, whatever the caller expects: PARAMETER_WORDS_MAX words

FLAG_VIEW = 1
FLAG_KERNEL = 2  # of dispatch: the kernel itself calls, hooks may be reached

STAGE_IDLE = 0
STAGE_OPENING = 1  # checks, sequence, fee reserve: a trap refuses the transaction
STAGE_BODY = 2  # its calls: a trap fails it, the fee is charged
STAGE_CLOSING = 3
STAGE_HOOK = 4
STAGE_SYSTEM = 5  # a call of the host's own (deposit, creation, query)
STAGE_EXPAND = 6

# Order classes, the top two bits of a lane
CLASS_TRADE = 0
CLASS_POST_ONLY = 1
CLASS_CANCEL = 2

# Phases of a batch
PHASE_SYSTEM_HOOKS = 0
PHASE_CANCEL = 1
PHASE_POST_ONLY = 2
PHASE_PROGRAM_HOOKS = 3
PHASE_TRADE = 4
PHASE_END = 5

# Kernel state: fields
REGISTRY = 128  # Map address (3) → program record (27 words)
PROGRAMS = 256  # List number − 1 → state address of the registry entry
SIGNERS = 384  # Map signer (3) → next sequence of lane 0, number of other lanes
LANES = 512  # Map signer (3), lane → next sequence
FEEDS = 640  # Map feed → FEED_… words and three nested containers
MOVED = 768  # Map feed → batch number in which it was published
SCHEDULES = 896  # OrderedMap (time · 2⁶⁴ + n) → program, selector
DUE = 1024  # Map program, selector, kind, argument → tries, state address of the next one of the program
LINES_SYSTEM = 1152  # Map program → first and last due entry, how many; in the order of their turns
FAILURES = 1280  # Map program, selector → count, reason, height, time
FILLS = 1408  # Map program, venue → LISTENER_… words and a queue of FILL_… items
COUNTERS = 1536
CREATIONS = 1664  # Map running number → CREATION_… words: programs that the next block opens with
CROSSINGS = 2048  # Map number → CROSSING_… words, until its handler is done
CROSSERS = 2176  # Map program → how many of them are its own
SWEEPS = 2304  # Map feed → SWEEP_… words: levels that a jump crossed and that are not all due yet
WAITING = 2432  # Map program, selector, kind, argument → batch it is due in, its number in LATER, tries
LATER = 2560  # OrderedMap (batch · 2⁶⁴ + n) → state address of the WAITING entry
PARKED = 2688  # like DUE
PARKS = 2816  # like LINES_SYSTEM
LINES_PROGRAMS = 2944  # like LINES_SYSTEM
HEAP = 4096

BATCHES = COUNTERS  # batches run since genesis
SCHEDULED = COUNTERS + 8  # entries ever scheduled
BANK = COUNTERS + 16  # program numbers pinned at genesis, 0 when none
ORACLE = COUNTERS + 24
CLEARING = COUNTERS + 32
ROTATION = COUNTERS + 40
LAST_HEIGHT = COUNTERS + 48
LAST_TIME = COUNTERS + 56
LAST_GAP = COUNTERS + 64
CREATED = COUNTERS + 96  # creations ever asked for by programs
CROSSED = COUNTERS + 72  # crossings ever subscribed
PUT_OFF = COUNTERS + 80  # hooks ever put off to a later batch

# Program record: words of a REGISTRY value
RECORD_NUMBER = 0
RECORD_ADMIN = 1  # three words; zero: no admin, for ever
RECORD_VERSION = 4
RECORD_ACTIVE = 5  # height from which this version runs
RECORD_TIME_LOCK = 6  # ms between announcing and switching to a next version
RECORD_LAYOUT = 7  # four words: hash of the storage layout
RECORD_CODE = 11  # four words: hash of the WASM
RECORD_SOURCE = 15  # four words
RECORD_CREATED = 19  # programs it has asked for: the number of the next one's address
RECORD_UPGRADE = 20  # first word of the id of the transaction that announced the next version; 0: none is announced
RECORD_UPGRADE_TIME = 21  # ms: the next version runs from the first block at or after it
RECORD_NEXT_LOCK = 22  # ms: a shorter time-lock
RECORD_SCHEDULED = 23  # schedules of the program whose time has not come
RECORD_NEXT_LOCK_TIME = 24  # ms: from when it holds; 0: there is none
RECORD_WORDS = 27  # as many as an entry of 256 bytes holds
SCHEDULES_MAX = 4096  # of one program
FEEDS_MAX = 1024  # numbers a subscription may name; the oracle has no more

# Creation: words of a CREATIONS value
CREATION_TEMPLATE = 0  # its number
CREATION_ADDRESS = 1  # three words
CREATION_CREATOR = 4  # three words
CREATION_ADMIN = 7  # three words; zero: nobody
CREATION_SELECTOR = 10  # of `create`
CREATION_GAS = 11  # what `create` may use, paid already
CREATION_COUNT = 12  # of argument words
CREATION_ARGUMENTS = 16
CREATION_ARGUMENT_WORDS_MAX = 64
CREATION_WORDS = CREATION_ARGUMENTS + CREATION_ARGUMENT_WORDS_MAX
TIME_LOCK_MAX = 10 * 365 * 86_400_000  # ms
CREATIONS_MAX = 64  # programs that one block opens with

# Feed: words of a FEEDS value, then three containers
FEED_PRICE = 0
FEED_CONFIDENCE = 2
FEED_TIME = 4
FEED_MAX_AGE = 5  # ms; negative: halted
FEED_PUBLISHED = 6  # publications so far
FEED_MOVED = 7  # 1 when prices were published since the last sweep of the levels began
FEED_REACH = 8  # of those prices the highest key for each side of levels: two decimals
FEED_SUBSCRIBERS = 12  # Map program, selector → 1
FEED_LEVELS = 28  # two OrderedMaps, above and below: key of a level → first and last crossing there
FEED_WORDS = 60

# Crossing: words of a CROSSINGS value. The key of a level or price is itself above, its complement below: of both sides
# the least key is crossed first.
CROSSING_PROGRAM = 0
CROSSING_SELECTOR = 1
CROSSING_FEED = 2
CROSSING_LEVEL = 3  # two words
CROSSING_SIDE = 5  # 0 above, 1 below, 2 once it is due
CROSSING_SINCE = 6  # publications of the feed before it
CROSSING_NEXT = 7  # state addresses of its neighbours at the same level
CROSSING_PREVIOUS = 8
CROSSING_WORDS = 9

ABOVE = 0
BELOW = 1
CROSSED_SIDE = 2

# Sweep: words of a SWEEPS value
SWEEP_PUBLISHED = 0  # publications it covers: who subscribed after them is not meant
SWEEP_SIDE = 1  # at hand; 2: done
SWEEP_CURSOR = 2  # key to go on from, two words
SWEEP_REACH = 4  # last key crossed on each side: two decimals
SWEEP_WORDS = 8

# Subscription to fills: words of a FILLS value, then a queue
LISTENER_SELECTOR = 0
LISTENER_MISSED = 1  # fills that found the queue full and were not told of
LISTENER_QUEUE = 2
LISTENER_WORDS = 18

# Item of that queue
FILL_MARKET = 0
FILL_ORDER = 1
FILL_BOUGHT = 2
FILL_PRICE = 3  # two words, as size and fee
FILL_SIZE = 5
FILL_FEE = 7
FILL_BATCH = 9
FILL_WORDS = 10

QUOTE_MISSING = 0
QUOTE_FRESH = 1
QUOTE_STALE = 2
QUOTE_HALTED = 3

# Kinds of due hooks
DUE_PRICE = 0
DUE_SCHEDULE = 1
DUE_FILL = 2
DUE_CROSSING = 3

# io memory
IO_INPUT = 0
IO_INPUT_END = 16 << 20
IO_RECEIPTS = 16 << 20
IO_RECEIPTS_END = 32 << 20
IO_EVENTS = 32 << 20
IO_EVENTS_END = 56 << 20
IO_EVENT_INDEX = 56 << 20  # u32 per event: its offset from IO_EVENTS
IO_RECEIPT_INDEX = 58 << 20  # u32 per transaction as given: offset of its receipt from IO_RECEIPTS
IO_ORDER = 59 << 20  # u32 per transaction run: its position as given
IO_WITHDRAWALS = 60 << 20  # u32 per withdrawal burnt in the batch: which event tells of it
IO_BYTES = 61 << 20
WITHDRAWALS_MAX = 1 << 18
EVENTS_MAX = 1 << 19
TRANSACTIONS_MAX = 1 << 18

# Transaction in io: words, then its calls
TX_BYTES = 0  # length of the record, calls included
TX_ACCOUNT = 8
TX_SIGNER = 32
TX_LANE = 56
TX_SEQUENCE = 64
TX_EXPIRY = 72
TX_GAS = 80
TX_PRICE = 88  # raw decimal per gas, below 2⁶³
TX_FLAGS = 96  # bit 0 atomic
TX_CALLS = 104
TX_INTRINSIC = 112  # gas charged before anything runs
TX_HEADER = 120

# Call in io
CALL_TARGET = 0
CALL_SELECTOR = 24  # u32
CALL_WORDS = 28  # u16 argument words, u16 result words
CALL_RESULT_WORDS = 30
CALL_GAS = 32  # 0: no cap
CALL_ARGS = 40
CALL_HEADER = 40
CALL_WORDS_MAX = 512
RESULT_WORDS_MAX = 128  # of one call; an entry that gives more cannot be called from outside
CALL_MALFORMED = 0xFFFF  # in place of the argument words: they do not fit the entry; none follow
TX_ATOMIC = 1

# Receipt in io, followed per call by its reason and its result
RECEIPT_POSITION = 0  # u32
RECEIPT_STATUS = 4  # u32: 0 done, 1 failed, 2 refused
RECEIPT_REASON = 8
RECEIPT_GAS = 16
RECEIPT_FEE = 24  # two words
RECEIPT_EVENTS_FROM = 40  # u32
RECEIPT_EVENTS_TO = 44  # u32
RECEIPT_CALLS = 48
RECEIPT_HEADER = 56
RECEIPT_CALL_MAX = 16 + 8 * RESULT_WORDS_MAX  # bytes that one call may add

STATUS_DONE = 0
STATUS_FAILED = 1
STATUS_REFUSED = 2

# Event in io: u32 program, u32 event number, u64 words, then the words
EVENT_HEADER = 16
EVENT_WORDS_MAX = 64
EVENT_BYTES_MAX = EVENT_HEADER + 8 * EVENT_WORDS_MAX
KERNEL_EVENT_HOOK_FAILED = 0  # program, selector, reason, tries: failures so far, this one included
KERNEL_EVENT_HOOK_DROPPED = 1  # the same words; nobody runs it any more
KERNEL_EVENT_DEPOSIT = 2  # account (three words), bytes, amount (two): paid for storage, negative when given back
KERNEL_EVENT_HOOK_PARKED = 3  # the same words; it waits until the purse is funded
KERNEL_EVENT_CREATED = 8  # number, address (3), creator (3): a program that a program asked for
KERNEL_EVENT_NOT_CREATED = 9  # reason, address (3), creator (3): its `create` refused, there is none
KERNEL_EVENT_ADMIN = 10  # number, admin (3): zero, nobody for ever
KERNEL_EVENT_TIME_LOCK = 11  # number, ms, time from which it holds
KERNEL_EVENT_UPGRADE_ANNOUNCED = 12  # number, first word of the transaction's id, time from which it may run
KERNEL_EVENT_UPGRADE_CANCELLED = 13  # number
KERNEL_EVENT_UPGRADED = 14  # number, version, code hash (4)
KERNEL_EVENT_UPGRADE_FAILED = 15  # number, reason: the old code stays

UPGRADE_WAITS = 0
UPGRADE_DUE = 1
UPGRADE_GONE = 2
