"""What a design chooses: who is randomised to what."""
