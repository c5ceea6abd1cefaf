"""Reading and changing mail: messages, threads, attachments, labels, search and waiting."""
