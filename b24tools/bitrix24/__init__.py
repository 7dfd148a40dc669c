"""The portal: transport, batches, lists, requests and the readers of their answers."""
