"""The live twin: inputs, engine, snapshots, historian."""
