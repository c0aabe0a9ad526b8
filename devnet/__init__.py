"""One command that starts a whole chain on this machine: settlement, node, gateway, price feed, agents that trade."""
