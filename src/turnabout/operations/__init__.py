"""Operations on a whole project.

These are cost estimates, headline figures, sweeps and evaluation of user models.
"""
