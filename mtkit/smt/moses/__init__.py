"""Import and export of Moses models (Koehn et al. 2007).

ini   moses.ini, both ways        tables   its phrase and reordering tables
"""
