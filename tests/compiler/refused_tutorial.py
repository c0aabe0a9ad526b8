"""
What goes wrong when somebody types the tutorial's program for the first time: slips and habits from elsewhere, each as
one change of its text. Name → what stands there, what is typed instead.
"""

from __future__ import annotations

from tests.documents import ROOT, blocks

FILE = "capped_call.py"
MISTAKES: dict[str, tuple[str, str]] = {
    "float": ("max(price - series.strike, Decimal(0))", "max(price - series.strike, 0.0)"),
    "float_in_decimal": ("VOLATILITY_MAX = Decimal(20)", "VOLATILITY_MAX = Decimal(0.5)"),
    "constant_unannotated": ("SERIES_MAX: int = 1_000", 'SERIES_MAX = "16"'),
    "field_misspelled": ("self.feed.price()\n        if", "self.fed.price()\n        if"),
    "method_misspelled": ("payoff(terms, price)", "pay_off(terms, price)"),
    "member_misspelled": ("terms.volatility, years)\n        high", "terms.volatilty, years)\n        high"),
    "name_misspelled": ("require(width > 0", "require(widht > 0"),
    "entry_misspelled": ("self.clearing.finish(number", "self.clearing.finsh(number"),
    "self_forgotten": ("self.clearing.finish(number", "clearing.finish(number"),
    "method_without_self": ("payoff(series, quote.price)", "self.payoff(series, quote.price)"),
    "import_forgotten": ("    schedule,\n", ""),
    "import_unknown": (
        "from execution.library.black76 import black76",
        "from execution.library.black67 import black76",
    ),
    "import_name_misspelled": ("import black76\n", "import blak76\n"),
    "import_language_misspelled": ("    schedule,\n", "    shedule,\n"),
    "import_math": ("from execution.library.options", "import math\nfrom execution.library.options"),
    "import_decimal": ("from execution.library.options", "from decimal import Decimal\nfrom execution.library.options"),
    "import_datetime": (
        "from execution.library.options",
        "from datetime import datetime\nfrom execution.library.options",
    ),
    "import_numpy": ("from execution.library.options", "import numpy as np\nfrom execution.library.options"),
    "import_star": ("from execution.library.options import Right", "from execution.library.options import *"),
    "parameter_unannotated": ("width: Decimal, volatility: Decimal, expiry", "width, volatility: Decimal, expiry"),
    "result_unannotated": ("price: Decimal) -> Decimal:", "price: Decimal):"),
    "field_unannotated": ("    owner: Account\n    clearing", "    owner = Account.zero()\n    clearing"),
    "field_with_value": (
        "    width: Decimal\n    volatility: Decimal\n    expiry: Timestamp\n    finished",
        "    width: Decimal = Decimal(1)\n    volatility: Decimal\n    expiry: Timestamp\n    finished",
    ),
    "field_float": (
        "    strike: Decimal\n    width: Decimal\n    volatility",
        "    strike: float\n    width: Decimal\n    volatility",
    ),
    "field_str": ("    owner: Account\n    clearing", "    owner: str\n    clearing"),
    "field_list": ("all_series: List[Series]", "all_series: list[Series]"),
    "field_dict": ("all_series: List[Series]", "all_series: dict[int, Series]"),
    "text_as_decimal": ("require(width > 0,", 'require(width > "0",'),
    "text_to_decimal": ("series.width = width", 'series.width = "1000"'),
    "decimal_as_index": ("series = self.all_series[number]", "series = self.all_series[quote.price]"),
    "duration_as_number": ("(terms.expiry - block.time).ms", "(terms.expiry - block.time)"),
    "time_plus_int": ("schedule(expiry, self.expire)", "schedule(expiry + 1000, self.expire)"),
    "quote_as_price": ("price = self.feed.price()", "price = self.feed.quote()"),
    "assign_storage": ("series.strike = self.feed.price()", "self.all_series = []"),
    "record_constructed": ("series = self.all_series.add()", "series = Series()"),
    "append_record": ("series = self.all_series.add()", "self.all_series.append(Series())"),
    "view_writes": ("price = self.feed.price()", "self.feed = Feed(1)\n        price = self.feed.price()"),
    "view_opens": (
        "price = self.feed.price()",
        "price = self.feed.price()\n        self.open(price, price, block.time)",
    ),
    "hook_without_outcome": ("        return DONE\n", "        pass\n"),
    "hook_result": ("def expire(self, due: Timestamp) -> Outcome:", "def expire(self, due: Timestamp) -> None:"),
    "hook_parameter": ("def expire(self, due: Timestamp)", "def expire(self)"),
    "schedule_called": ("schedule(expiry, self.expire)", "schedule(expiry, self.expire(expiry))"),
    "schedule_unhooked": ("    @hook\n", ""),
    "missing_return": ("        return low.price - high.price\n", ""),
    "wrong_return": ("        return low.price - high.price\n", "        return number\n"),
    "return_bool": ("        return low.price - high.price\n", "        return low.price > high.price\n"),
    "require_no_reason": ('require(width > 0, "width must be positive")', "require(width > 0)"),
    "assert": ('require(width > 0, "width must be positive")', "assert width > 0"),
    "raise_value_error": ('require(width > 0, "width must be positive")', 'raise ValueError("width")'),
    "print": ("emit(Opened", "print(number)\n        emit(Opened"),
    "f_string": ('"too many series"', 'f"more than {SERIES_MAX} series"'),
    "truth_of_int": ("if not series.finished", "if number and not series.finished"),
    "not_int": ("require(number < SERIES_MAX", "require(not number"),
    "is_equal": ("tx.sender == self.owner", "tx.sender is self.owner"),
    "in_list": ("tx.sender == self.owner", "tx.sender in [self.owner]"),
    "msg_sender": ("tx.sender == self.owner", "msg.sender == self.owner"),
    "tx_origin": ("tx.sender == self.owner", "tx.origin == self.owner"),
    "block_timestamp": ("expiry > block.time", "expiry > block.timestamp"),
    "now": ("expiry > block.time", "expiry > datetime.now()"),
    "int_of_decimal": ("number = len(self.all_series)", "number = int(width)"),
    "round": ("number = len(self.all_series)", "number = round(width)"),
    "round_decimal": ("Decimal((terms.expiry - block.time).ms) / YEAR_MS", "round(Decimal(1), 2)"),
    "str": ("number = len(self.all_series)", "number = str(width)"),
    "sum": ("number = len(self.all_series)", "number = sum(self.all_series)"),
    "power": ("years = Decimal((terms.expiry - block.time).ms) / YEAR_MS", "years = price ** 2"),
    "power_half": ("years = Decimal((terms.expiry - block.time).ms) / YEAR_MS", 'years = price ** Decimal("0.5")'),
    "enumerate": (
        "for number in range(len(self.all_series)):\n            series = self.all_series[number]",
        "for number, series in enumerate(self.all_series):",
    ),
    "while_else": ("return DONE\n", "return DONE\n        else:\n            pass\n"),
    "event_members": (
        "emit(Opened(number, series.strike, width, expiry))",
        "emit(Opened(number, series.strike, width))",
    ),
    "event_keyword": (
        "emit(Opened(number, series.strike, width, expiry))",
        "emit(Opened(number=number, strike=series.strike, width=width, expiry=expiry))",
    ),
    "event_order": (
        "emit(Opened(number, series.strike, width, expiry))",
        "emit(Opened(series.strike, number, width, expiry))",
    ),
    "emit_nothing": ("emit(Opened(number, series.strike, width, expiry))", "emit(number)"),
    "arguments_few": ("payoff(terms, price)", "payoff(terms)"),
    "arguments_order": ("payoff(terms, price)", "payoff(price, terms)"),
    "not_a_program": ("class CappedCall(Program):", "class CappedCall:"),
    "two_programs": ("def payoff", "class Second(Program):\n    x: int\n\n\ndef payoff"),
    "init": ("def create(self", "def __init__(self"),
    "property": ("    @view\n", "    @property\n"),
    "dataclass": ("class Series(Record):", "@dataclass\nclass Series(Record):"),
    "colon": ("if terms.expiry <= block.time:", "if terms.expiry <= block.time"),
    "bracket": (
        "Decimal((terms.expiry - block.time).ms) / YEAR_MS",
        "Decimal((terms.expiry - block.time).ms / YEAR_MS",
    ),
    "single_equals": ("quote.status != QuoteStatus.FRESH", "quote.status = QuoteStatus.FRESH"),
    "indent": ("        series.width = width\n", "         series.width = width\n"),
    "tab": ("        series.width = width\n", "\tseries.width = width\n"),
    "increment": ("finished = True\n", "finished++\n"),
    "enum_member": ("Right.CALL, price, terms.strike,", "Right.BUY, price, terms.strike,"),
    "enum_text": ("Right.CALL, price, terms.strike,", '"CALL", price, terms.strike,'),
    "none": ("terms = self.all_series[series]", "terms = None"),
    "global": ("number = len(self.all_series)", "global number\n        number = 1"),
    "try_uncapped": (
        "        self.clearing.finish(number, paid)",
        (
            "        try:\n                    self.clearing.finish(number, paid)\n"
            "                except Rejected:\n                    pass"
        ),
    ),
    "local_type_changes": ("price = self.feed.price()", "price = 0\n        price = self.feed.price()"),
    "unused_maybe": ("        years = ", "        if price > 5:\n            other = price\n        years = other + "),
    "private_call": ("self.clearing.finish(number, paid)", "self.clearing.end(number, paid, False)"),
    "lambda": ("return min(max(price - series.strike", "cut = lambda x: x\n    return min(max(price - series.strike"),
    "unknown_decorator": ("    @external\n", "    @public\n"),
    "external_kind": ("    @external\n", '    @external(order="fast")\n'),
    "struct_changed": ("quote = self.feed.quote()", "quote = self.feed.quote()\n        quote.price = Decimal(1)"),
    "replace_misspelled": ("quote = self.feed.quote()", "quote = self.feed.quote().replace(prise=Decimal(1))"),
}


def program() -> str:
    """The program that the tutorial has its reader write."""
    text = (ROOT / "devnet" / "TUTORIAL.md").read_text()
    (found,) = [block.text for block in blocks(text) if block.file == FILE]
    return found


def bundle_of(name: str) -> dict[str, str]:
    """The program with one mistake."""
    written, typed = MISTAKES[name]
    right = program()
    assert right.count(written) >= 1, f"the tutorial's program has no {written!r}"
    return {FILE: right.replace(written, typed)}
