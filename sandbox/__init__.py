"""A stand-in of the payment provider: documented endpoints, webhooks, faults on demand."""
