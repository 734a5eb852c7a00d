"""Work on a whole project: cost estimates, headline figures, sweeps and evaluation of user models."""
