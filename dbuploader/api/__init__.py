"""HTTP in: the one route, and what the body of a batch must be. Begin with `views.py`.

May import `services` and what is below it.
"""
