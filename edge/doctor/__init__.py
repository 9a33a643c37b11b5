"""What is well with a gateway and what is not, each in a sentence that says what to do."""
