"""Functions that are right but for one defect, which a verdict has to name; and sound ones."""
