"""HTTP in: the routes of webhooks, and what they work with.

May import channels and what lies below them.
"""
