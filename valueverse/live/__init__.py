"""Sockets: pages hear that something changed, and read it again. See README.md."""
