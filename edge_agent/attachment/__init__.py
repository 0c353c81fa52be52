"""The attachment, the stream to the dispatcher: how it is opened, kept, and lost."""
