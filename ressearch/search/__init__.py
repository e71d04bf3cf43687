"""Who gives trainings and who does them: searches and confirmations give, Ray and this process do."""
