"""
A node's blocks in one file, which proves itself: another folder is made from it without trusting who wrote it.

Reading order: `frames`, what the file looks like; `writing`, from a store into a file; `restoring`, from a file into an
empty folder, every certificate checked and every block run again.
"""
