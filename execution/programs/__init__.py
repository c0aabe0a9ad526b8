"""The programs that come with the node, written in the language: they run under CPython and compile to WASM alike."""
