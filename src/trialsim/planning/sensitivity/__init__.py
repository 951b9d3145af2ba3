"""What the answer hangs on: tornado, heat maps, attribution, tipping points, and the worst type I error."""
