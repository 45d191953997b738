"""What measurements come to: verdicts, diffs. May import measure and the rooms below it."""
