"""The search: which candidates are trained, where, and what is kept of it. Optuna and Ray live here only."""
