"""The inputs: named, seeded cases. Imports numerics and no other room."""
