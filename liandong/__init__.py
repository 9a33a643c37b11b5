"""The command line, and the supervisor that composes edge, cloud and simulators as processes."""
