"""The edge of the core: Redis, the provider over HTTP, the brokers."""
