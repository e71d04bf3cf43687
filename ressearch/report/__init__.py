"""What a user sees of a search: the space, the progress, the leaderboard."""
