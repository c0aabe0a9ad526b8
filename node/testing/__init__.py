"""
Testing programs with pytest: one API over two engines, CPython and WASM, so that each test says the same of both.

    def test_counts(chain, accounts):                       # runs twice: [cpython] and [wasm]
        counter = chain.deploy("counter.py", sender=accounts.alice)
        counter.add(2, sender=accounts.bob)
        assert counter.total() == 2
        with chain.rejects("not the owner"):
            counter.reset(sender=accounts.bob)

`plugin` is the pytest plug-in (installed with Tenor), `chain` the API, `cpython` and `wasm` the engines behind it,
`world` accounts, clock, prices and a ready market, `strategies` hypothesis strategies for the language's types.
Fees, signatures and sequence numbers are the node's and do not exist here; gas is counted under WASM only.
"""
