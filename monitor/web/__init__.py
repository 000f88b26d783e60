"""The page and the JSON API: what the database holds, shown with its evidence; nothing is asked or judged here."""
