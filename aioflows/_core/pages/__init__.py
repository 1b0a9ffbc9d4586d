"""One page: what was asked, what came back, how pages are numbered, and what a scan was shown by them."""
