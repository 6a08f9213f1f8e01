"""Programs of others that do part of this work: what they are asked, and how. Validation and bench use it."""
