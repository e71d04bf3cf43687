"""Searches replayed on tables of trained networks: what a sampler, a scheduler, a setting is worth per hour."""
