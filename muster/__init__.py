"""What the services share: one port and its adapters per outside dependency, and the contracts."""
