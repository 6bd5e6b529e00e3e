"""What every service's HTTP side has: limits of bytes, time and places, problems, tokens, health.

May import the ports and what lies below them.
"""
