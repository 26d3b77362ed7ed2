"""The processes: decode, call one function of the orchestrator, map the error. No payment rule lives here."""
