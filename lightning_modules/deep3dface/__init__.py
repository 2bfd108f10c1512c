"""Deep3DFace: a 3D face from one photo, and from several of one person, learned without 3D labels."""
