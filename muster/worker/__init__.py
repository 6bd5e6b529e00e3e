"""What processes beside the HTTP servers have: their start and end, heartbeat, retries, migrations.

May import the ports and what lies below them.
"""
