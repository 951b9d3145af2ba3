"""From what is true to virtual patients."""
