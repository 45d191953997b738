"""A file for each subcommand of `python -m bench`. May import every other room."""
