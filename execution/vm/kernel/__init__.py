"""
The kernel: order of a batch, calls between programs, undo, fees, hooks. Written in core Python, compiled to one WASM
module.
"""
