"""What a reader sees: tables, figures, the page. May import judge and the rooms below it."""
