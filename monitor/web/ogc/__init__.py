"""OGC API Features 1.0: the lists of the API as collections that QGIS and GDAL read."""
