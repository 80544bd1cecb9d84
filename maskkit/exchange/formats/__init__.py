"""One file for each format: how other projects lay out photos and masks, and how they are read and written."""
