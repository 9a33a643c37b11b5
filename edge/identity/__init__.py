"""What the wire knows this gateway by, apart from the outbox: what rolls one file back must not roll back the other."""
