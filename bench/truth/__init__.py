"""The exact values. May import runs, subjects, inputs."""
