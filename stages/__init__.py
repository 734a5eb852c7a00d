"""One script per DVC stage: parse, load, call one function, write.

Only stages touch files, the clock and the environment.
"""
