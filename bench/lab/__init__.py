"""The teaching lab: naive against stable, predictions. May import show and the rooms below it."""
