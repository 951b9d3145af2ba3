"""Writers of the generated pages: one module a page, each with a function that returns the page's text."""
