"""The whole suite on one machine: five services and their workers as child processes.

`__main__` plans a `suite` in a `home`, and the `supervisor` keeps each `child` running, which the
`forkserver` forks; `client` and `suite_process` are for what needs a running suite: the demo,
tests, the bench. No service is imported.
"""
