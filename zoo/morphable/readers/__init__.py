"""Readers of the file formats that face models come in; each returns ``MorphableData``."""
