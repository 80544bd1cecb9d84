"""Files that were whole once: bits flipped, blocks zeroed and tails cut off, and what their readers make of them."""
