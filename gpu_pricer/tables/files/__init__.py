"""Files, whatever they hold: replaced at once, locked against other jobs, written through to the disk."""
