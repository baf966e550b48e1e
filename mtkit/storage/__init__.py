"""Files of models: written atomically, and read as untrusted input.

reading     JSON, arrays and dataclasses from files, with one-line error messages
arrays      arrays in files of stages: whole, by rows, or memory-mapped
packing     files compressed as .gz, .xz or .zst
structure   checks of arrays, so that no kernel reads outside them
digests     whether files are unchanged since they were written
stages      work from files to files that survives a crash and can move to other processes
growing     a file that is written step by step and can be resumed
writing     atomic replacement of a file or a directory, under a lock
download    a file from a server, resumed and verified
archives    named members of untrusted archives
"""
