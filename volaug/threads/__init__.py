"""Threads: how many, how they share out work, and the processes beside this one."""
