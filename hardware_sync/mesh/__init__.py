"""The encrypted mesh: identities, sessions, topics."""
