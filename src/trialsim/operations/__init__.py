"""The calendar of a trial: sites, recruitment, infusion chairs, therapy groups, raters, cost. SimPy only here."""
