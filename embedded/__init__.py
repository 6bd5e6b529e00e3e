"""The whole suite on one machine: five services and their workers as child processes."""
