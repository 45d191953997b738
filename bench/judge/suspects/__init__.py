"""Which formula that people write a subject's outputs follow, told by how they are wrong.

`formulas` has the formulas, `arithmetic` what they are computed with, `contest` decides between
them, `habits` finds what is done beside a formula, and `explain` puts it all together.
"""
