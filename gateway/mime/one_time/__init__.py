"""One-time codes and links in the text of a message."""
