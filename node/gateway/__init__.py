"""
The gateway: its own process between the world and the core.

HTTP and WebSocket, size limits, JSON-RPC, decoding and signature recovery happen here, so that hostile input costs this
process and not the core. It keeps nothing: state is asked of the core over one local socket (`link`, `frames`).
Reading order: `server` → `dispatch` → `methods` → `transactions` → `link`; `subscriptions` for what is pushed.
"""
