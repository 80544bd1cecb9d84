"""The page: rows of a data set looked at and decided on by hand, served to a browser on this machine."""
