"""The payment and how it moves; knows nothing of Celery, ASGI or the environment."""
