"""What an answer proves: a page, an empty answer, a row that did not come again."""
