"""What people decided about rows by hand: the file, several people's files as one, and data sets made by it."""
