"""Subjects: whatever computes some of the operations. May import inputs."""
