"""What a subject did against the truth, and how fast. May import truth, runs, subjects, inputs."""
