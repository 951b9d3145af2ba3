"""The calendar of a trial: sites, recruitment, infusion chairs, therapy groups, raters and cost. SimPy lives here only."""
