"""An account that a program writes by its number is the one CPython means, whichever bit is set."""

from __future__ import annotations

import pytest

from execution.lang import Account

SOURCE = '''
"""Knows an account."""

from execution.lang import Account, Program, view


class Known(Program):
    told: int

    @view
    def account(self) -> Account:
        return Account.numbered({number})
'''


@pytest.mark.parametrize("number", [0, 1, 0x7F << 32, 0x80 << 32, 0x80 << 24, (1 << 63) - 1])
def test_a_numbered_account_is_the_same_everywhere(chain, number):
    assert chain.deploy_text(SOURCE.format(number=number)).account() == Account.numbered(number)
