"""The main job, done once on a suite of its own and checked: `python -m embedded.demo`."""
