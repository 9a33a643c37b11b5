"""Pure state machines and values of the closed loop: policy, place, incident, task, offer, assignment."""
