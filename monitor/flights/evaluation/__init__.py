"""How well visits are found where reports are missing: the study beside the live line."""
