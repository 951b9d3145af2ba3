"""Answers to planning questions: how many participants, how much power, which effect can be found."""
