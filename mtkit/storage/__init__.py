"""Files of models: written whole or not at all, and read as if a stranger had made them.

reading     JSON, arrays and dataclasses from files, or one line that says what is wrong
packing     files that are packed as .gz, .xz or .zst
structure   what arrays have to be, so that no kernel can look outside them
digests     whether the files are still those that were written
stages      work from files to files, which can go on after a crash and elsewhere
growing     a file that is written step by step, and that an interrupted command goes on with
writing     how a file or a directory takes the place of another, under a lock
download    a file from a server, resumed and verified
archives    named members out of archives of strangers
"""
