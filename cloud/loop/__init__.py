"""The closed loop at work: what observations, people and time do to incidents, each within one transaction."""
