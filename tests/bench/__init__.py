"""Figures: ours beside stock arq, and on request beside other queues (`make bench`, `make bench-peers`)."""
