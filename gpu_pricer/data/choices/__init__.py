"""What users chose and on which occasions they chose nothing, made one period of the log at a time."""
