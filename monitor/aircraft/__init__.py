"""Aircraft databases of others, brought into SQL: tar1090-db, Mictronics and OpenSky; nothing here is required."""
