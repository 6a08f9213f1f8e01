"""Parts of ``twin.planning.simulate``: events, what they do over time, series, account, checkpoints."""
