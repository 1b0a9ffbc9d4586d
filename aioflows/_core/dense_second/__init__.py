"""One second that holds more rows than a page."""
