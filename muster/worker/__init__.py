"""What every process that consumes a queue or takes turns has: its heartbeat and its end.

May import the ports and what lies below them.
"""
