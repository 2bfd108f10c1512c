"""Training: LightningCLI with the zoo's manners: quiet, safe against kills and full disks, with a table at the end."""
