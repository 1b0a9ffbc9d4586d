"""Pages: requests and answers, page numbers, and the facts that answers show about a scan and its service."""
