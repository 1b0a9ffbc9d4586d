"""The clocks by which a service prints the times of a row, found from the rows."""
