"""The losses: distances between numbers, entropies of classes, and functions of the user's."""
