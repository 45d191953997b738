"""Millions of rows in chunks: what they come to, who runs them. May import measure and below."""
