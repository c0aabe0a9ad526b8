"""Moving opaque bytes between nodes: the door to a network and its implementations."""
