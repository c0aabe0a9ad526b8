"""
Modules that programs import by name: written in the language, compiled into the program that uses them.

`from execution.library.black_scholes import black_scholes` needs no copy in the bundle; a bundle's own file of that
name wins.
"""
