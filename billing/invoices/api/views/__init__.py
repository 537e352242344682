"""The views of this app."""
