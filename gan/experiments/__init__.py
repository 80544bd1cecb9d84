"""Several runs beside each other: one table over them, with pictures."""
