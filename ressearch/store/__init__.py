"""What is kept of a study, and the only room that knows SQLAlchemy, Optuna's storage and file names. No torch.

`record` is light; the other modules load Optuna.
"""
