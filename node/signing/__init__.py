"""
A validator's key in a process of its own, behind a local socket.

Reading order: `guard`, the memory that no second word of a view gets past; `wire`, what is asked and answered;
`server`, the process; `remote`, the node's end of the socket.
"""
