"""The chain's last word: the door to a settlement chain and its implementations."""
