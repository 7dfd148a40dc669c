"""The portal as we see it: transport, methods, directory."""
