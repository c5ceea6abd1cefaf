"""What a message says that is new: its text without quoted history and signature."""
