"""Threads: how many, how they share work, and the processes beside this one."""
