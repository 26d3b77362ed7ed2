"""Settings and logging: what a process learns from its environment. Only `workers.bootstrap` imports this."""
