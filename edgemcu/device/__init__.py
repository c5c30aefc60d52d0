"""Talking to a firmware: wire protocol, transports, emulators, sessions."""
