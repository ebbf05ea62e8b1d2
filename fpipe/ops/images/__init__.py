"""Operators on columns of images, one for each row once it is read."""
