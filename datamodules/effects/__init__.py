"""What camera and file make of a picture: the same for faces and scenes."""
