"""The ground floor: words, bytes, signatures and constants that all nodes agree on before the first block."""
