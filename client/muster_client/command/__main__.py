"""`python -m muster_client.command` is the command `muster`."""

from muster_client.command.app import main

main()
