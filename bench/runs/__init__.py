"""Run files in and out, with all that is written of a run. May import subjects and inputs."""
