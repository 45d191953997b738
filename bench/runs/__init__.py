"""Run files in and out, and where measured: what is kept of a run. May import subjects, inputs."""
