"""Estimators: from what the trial's statistician sees to estimate, standard error, degrees of freedom and p."""
