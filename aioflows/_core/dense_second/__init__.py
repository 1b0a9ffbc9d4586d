"""Dense seconds: seconds that hold more rows than a page."""
