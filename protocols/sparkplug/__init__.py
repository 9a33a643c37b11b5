"""Eclipse Sparkplug B 3.0.0: payload, topics, STATE, and the sessions of an Edge Node and of a Host, all sans-I/O."""
