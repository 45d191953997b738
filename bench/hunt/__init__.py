"""The search for the worst rows: where, how, and what is kept. May import sweep and below."""
