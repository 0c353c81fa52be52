"""What both programs stand on: files, addresses, directories, who may enter, command lines."""
