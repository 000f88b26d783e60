"""What sitewatch remembers: the schema, records without SQL, and one store file per group of tables."""
