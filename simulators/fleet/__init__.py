"""A fleet of gateways for load: real Sparkplug sessions, thousands of them from a few processes."""
