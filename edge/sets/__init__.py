"""Cardholders and local rules that the cloud delivers: received, stored, worked by, also with the cloud away."""
