"""The effects: atomic files, checked downloads, progress."""
